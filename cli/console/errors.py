"""What a job's error says, in one line for a person."""

import re

TRACEBACK = "Traceback (most recent call last):"
_CLASS = re.compile(r"(?:\w+\.)*\w+(?:Error|Exception): ")


def headline(error: str) -> str:
    """Return the line of an error that says most: the first, or of a traceback the one that names the exception."""
    first = error.strip().partition("\n")[0]
    if not first.endswith(TRACEBACK):
        return first
    after = error.rpartition(TRACEBACK)[2].splitlines()
    named = next((line for line in after if line and not line.startswith(" ")), TRACEBACK)
    return first.removesuffix(TRACEBACK) + named


def short(error: str | None) -> str:
    """Return an error's headline without the name of its class."""
    return _CLASS.sub("", headline(error), count=1) if error else "no error was kept"
