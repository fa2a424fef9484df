"""What an audited act has changed, in words: `rules: max_trades_per_day 4 -> 1`."""

from collections.abc import Iterator, Mapping
from typing import Any

_NAMES = {"rule_changes": "rules"}
_ABSENT = object()


def describe_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return each value that differs, as it was and as it is; one that was not there before alone."""
    return ", ".join(_list_parts(before, after))


def _list_parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            inner = list(_list_inner(_to_mapping(old), _to_mapping(new)))
            if inner:
                yield f"{_NAMES.get(name, name.replace('_', ' '))}: {', '.join(inner)}"
        elif old is _ABSENT:
            if new is not None:
                yield f"{name} {_to_word(new)}"
        elif old != new:
            yield f"{name} {_to_word(old)} -> {_to_word(new)}"


def _list_inner(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            yield f"{name} {_to_word(old.get(name))} -> {_to_word(new.get(name))}"


def _to_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _to_word(value: object) -> str:
    """Return a value in a word; what was not there before is `none`."""
    if value is None or value is _ABSENT:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "+".join(map(_to_word, value)) or "none"
    return str(value)
