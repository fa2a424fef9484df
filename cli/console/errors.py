"""One-line forms of errors; `--traceback`, anywhere on the command line, asks for the whole one."""

import re
import sys

TRACEBACK_OPTION = "--traceback"
TRACEBACK = "Traceback (most recent call last):"
_CLASS = re.compile(r"(?:\w+\.)*\w+(?:Error|Exception): ")


def wants_traceback() -> bool:
    """Whether the command line asks for whole tracebacks."""
    return TRACEBACK_OPTION in sys.argv


def extract_headline(error: str) -> str:
    """Return the first line of an error; of a traceback, the line that names the exception."""
    first = error.strip().partition("\n")[0]
    if not first.endswith(TRACEBACK):
        return first
    after = error.rpartition(TRACEBACK)[2].splitlines()
    named = next((line for line in after if line and not line.startswith(" ")), TRACEBACK)
    return first.removesuffix(TRACEBACK) + named


def shorten_error(error: str | None) -> str:
    """Return an error's headline without the name of its class."""
    return _CLASS.sub("", extract_headline(error), count=1) if error else "no error was recorded"
