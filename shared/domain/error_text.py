"""One-line forms of errors that were recorded with their tracebacks."""

import re

_TRACEBACK = "Traceback (most recent call last):"
_CLASS = re.compile(r"(?:\w+\.)*\w+(?:Error|Exception): ")


def extract_headline(error: str) -> str:
    """Return the first line of an error; of a traceback, the line that names the exception."""
    first = error.strip().partition("\n")[0]
    if not first.endswith(_TRACEBACK):
        return first
    after = error.rpartition(_TRACEBACK)[2].splitlines()
    named = next((line for line in after if line and not line.startswith(" ")), _TRACEBACK)
    return first.removesuffix(_TRACEBACK) + named


def shorten_error(error: str | None) -> str:
    """Return an error's headline without the name of its class."""
    return _CLASS.sub("", extract_headline(error), count=1) if error else "no error was recorded"
