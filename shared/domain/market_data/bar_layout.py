"""Which columns of another vendor's file hold the time, the prices and the volume of its bars."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shared.errors import RefusedError

FIELDS = ("time", "open", "high", "low", "close", "volume")
_USUAL_NAMES = {
    "time": ("time", "t", "timestamp", "datetime", "date", "start", "ts", "tsevent", "bartime", "indexlevel0"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c", "last"),
    "volume": ("volume", "v", "vol"),
}  # fmt: skip
_CONTRACT_NAMES = ("symbol", "contract", "ticker", "instrument", "rawsymbol")
_DATE, _CLOCK = "date", "time"


@dataclass(frozen=True, slots=True)
class BarLayout:
    """The place of each field among the columns, counted from 0.

    `clock` is that of the time of day, where the column of the time has only the date. `contract` is that of the
    contract's name, if the file has it.
    """

    places: Mapping[str, int]
    clock: int | None = None
    contract: int | None = None


def parse_columns(text: str) -> dict[str, str]:
    """Return the column of each field that a text such as time=ts_event,volume=vol names; raise ValueError."""
    chosen = {}
    for part in filter(None, text.split(",")):
        field, is_given, name = (one.strip() for one in part.partition("="))
        if field not in FIELDS or not is_given or not name:
            raise ValueError(f"invalid column {part!r}: expected FIELD=NAME, where FIELD is one of {', '.join(FIELDS)}")
        chosen[field] = name
    return chosen


def find_layout(names: Sequence[str], chosen: Mapping[str, str]) -> BarLayout:
    """Return where each field is, by `chosen` and by the usual names; raise RefusedError if that is not certain."""
    places = {field: _find_chosen(names, field, name) for field, name in chosen.items()}
    plain = [_plain(name) for name in names]
    for field in (field for field in FIELDS if field not in places):
        found = [place for place, name in enumerate(plain) if name in _USUAL_NAMES[field]]
        if field == "time" and sorted(plain[place] for place in found) == [_DATE, _CLOCK]:
            date, clock = (plain.index(one) for one in (_DATE, _CLOCK))
            return replace(find_layout(names, {**chosen, "time": names[date]}), clock=clock)
        if len(found) != 1:
            which = "no column is known as"
            if found:
                which = f"columns {' and '.join(names[place] for place in found)} could each be"
            raise RefusedError(
                f"{which} the {field}, of {', '.join(map(repr, names))}: name it with --columns {field}=NAME, or all "
                "by their numbers if the file has no heading"
            )
        places[field] = found[0]
    contract = next((place for place, name in enumerate(plain) if name in _CONTRACT_NAMES), None)
    return BarLayout(places, contract=contract)


def has_heading(chosen: Mapping[str, str]) -> bool:
    """Whether the first line names the columns: not if they are chosen by their numbers; raise RefusedError."""
    are_numbers = {name.isdecimal() for name in chosen.values()}
    if are_numbers != {True}:
        return True
    if missing := [field for field in FIELDS if field not in chosen]:
        raise RefusedError(
            f"columns are chosen by their numbers, so the file has no heading: --columns lacks {', '.join(missing)}"
        )
    return False


def _find_chosen(names: Sequence[str], field: str, name: str) -> int:
    if name not in names:
        raise RefusedError(f"no column is named {name!r} ({field}), of {', '.join(map(repr, names))}")
    return names.index(name)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
