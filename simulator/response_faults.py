"""Faults in the JSON of an answer: pure functions from the correct document to the faulty one."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Document = dict[str, Any]
LISTS: Mapping[str, str] = {
    "/api/Account/search": "accounts",
    "/api/Contract/search": "contracts",
    "/api/Contract/available": "contracts",
    "/api/History/retrieveBars": "bars",
    "/api/Order/search": "orders",
    "/api/Order/searchOpen": "orders",
    "/api/Order/v2/query": "orders",
    "/api/Position/searchOpen": "positions",
    "/api/Trade/search": "trades",
}
OPEN = ("/api/Order/searchOpen", "/api/Position/searchOpen")
BARS = "/api/History/retrieveBars"
_ENUMS = {"orders": "status", "positions": "type", "trades": "side"}
_UNKNOWN_VALUE = 99
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class ResponseFault:
    """A fault of an answer: whether it applies to a path, and the change of the answer.

    `apply` takes the path, the answer, and the last answer to the same request (None: there was none).
    """

    applies_to: Callable[[str], bool]
    apply: Callable[[str, Document, Document | None], Document]


def decode_answer(answer: bytes) -> Document:
    """Decode an answer with exact prices."""
    found: Document = json.loads(answer, parse_float=Decimal)
    return found


def _null_list(path: str, document: Document, _: Document | None) -> Document:
    return document | {LISTS[path]: None}


def _absent_list(path: str, document: Document, _: Document | None) -> Document:
    return {name: value for name, value in document.items() if name != LISTS[path]}


def _stale_rows(path: str, document: Document, before: Document | None) -> Document:
    """Return the last answer to the same request, or an empty list without one."""
    return document | {LISTS[path]: []} if before is None else before


def _short_page(path: str, document: Document, _: Document | None) -> Document:
    """Return the newer half of the bars, which come newest first."""
    rows = document[LISTS[path]] or []
    return document | {LISTS[path]: rows[: len(rows) // 2]}


def _unknown_enum(path: str, document: Document, _: Document | None) -> Document:
    name = LISTS[path]
    return document | {name: [row | {_ENUMS[name]: _UNKNOWN_VALUE} for row in document[name] or []]}


def _naive_timestamps(_: str, document: Document, __: Document | None) -> Document:
    return {
        name: _replace_instants(value, lambda match: match[1] + (f".{match[2]}" if match[2] else ""))
        for name, value in document.items()
    }


def _seven_digits(_: str, document: Document, __: Document | None) -> Document:
    return {
        name: _replace_instants(value, lambda match: f"{match[1]}.{match[2] or '':0<7}{match[3]}")
        for name, value in document.items()
    }


def _replace_instants(value: Any, format_instant: Callable[[re.Match[str]], str]) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case dict():
            return {name: _replace_instants(part, format_instant) for name, part in value.items()}
        case list():
            return [_replace_instants(part, format_instant) for part in value]
        case str() if found := _INSTANT.fullmatch(value):
            return format_instant(found)
    return value


def _has_list(path: str) -> bool:
    return path in LISTS


def _has_instants(path: str) -> bool:
    return LISTS.get(path) in {"bars", *_ENUMS}


RESPONSE_FAULTS: Mapping[str, ResponseFault] = {
    "null_list": ResponseFault(_has_list, _null_list),
    "absent_list": ResponseFault(_has_list, _absent_list),
    "naive_timestamps": ResponseFault(_has_instants, _naive_timestamps),
    "seven_digits": ResponseFault(_has_instants, _seven_digits),
    "unknown_enum": ResponseFault(lambda path: LISTS.get(path) in _ENUMS, _unknown_enum),
    "stale_search_open": ResponseFault(OPEN.__contains__, _stale_rows),
    "short_page": ResponseFault(BARS.__eq__, _short_page),
}
