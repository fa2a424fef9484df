"""Whether a name is a misspelling of another one."""

from collections.abc import Sequence
from functools import lru_cache

from shared.domain.alerts.field_names import plain_name


def is_one_edit_away(name: str, other: str) -> bool:
    """Whether one letter inserted, removed, changed or swapped with its neighbour makes `other` of `name`."""
    if name == other or abs(len(name) - len(other)) > 1 or min(len(name), len(other)) < _SHORTEST:
        return False
    if name[0] != other[0] and name[-1] != other[-1]:
        return False  # one edit leaves the first letter or the last one
    at = next((index for index, (one, two) in enumerate(zip(name, other, strict=False)) if one != two), len(name))
    rest, other_rest = name[at:], other[at:]
    if len(name) != len(other):
        return rest[1:] == other_rest if len(name) > len(other) else rest == other_rest[1:]
    return rest[1:] == other_rest[1:] or (rest[1:2] + rest[:1] + rest[2:] == other_rest)


def find_near(name: str, others: Sequence[str]) -> str | None:
    """Return the first of `others` that a name is or is one edit away from, without case and signs, or None."""
    return _find_near(plain_name(name), tuple(others)) if len(name) <= _LONGEST else None


@lru_cache(maxsize=1024)  # the messages of one sender have the same names
def _find_near(name: str, others: tuple[str, ...]) -> str | None:
    for other in others:
        plain = plain_name(other)
        if name == plain or is_one_edit_away(name, plain):
            return other
    return None


_LONGEST = 64  # a longer name is none of ours, nor near to one, and must not fill the cache
_SHORTEST = 4  # names shorter than this have neighbours that are words of their own: id, ids
