"""One-line forms of a job's error."""

import re

TRACEBACK = "Traceback (most recent call last):"
_CLASS = re.compile(r"(?:\w+\.)*\w+(?:Error|Exception): ")


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
