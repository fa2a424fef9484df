"""The option `--traceback`: anywhere on the command line, it asks for the whole traceback of an error."""

import sys

TRACEBACK_OPTION = "--traceback"


def wants_traceback() -> bool:
    """Whether the command line asks for whole tracebacks."""
    return TRACEBACK_OPTION in sys.argv
