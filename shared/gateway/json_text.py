"""The venue's JSON, without what Postgres cannot store."""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

_LONE = re.compile("[\ud800-\udfff\x00]")  # halves of a character, which JSON may escape alone; and NUL
_MAY_HOLD = re.compile(rb"\\u(d[89a-f]|0000)", re.IGNORECASE)


def parse(content: bytes) -> Any:  # noqa: ANN401  # JSON
    """Return the value; numbers are Decimal, and what is no character in its texts is U+FFFD. Raise ValueError."""
    found = json.loads(content, parse_float=Decimal, parse_constant=_reject_constant)
    return _clean(found) if _MAY_HOLD.search(content) else found


def _clean(value: object) -> object:
    match value:
        case str():
            return _LONE.sub("\ufffd", value)
        case list():
            return [_clean(one) for one in value]
        case dict():
            return {_clean(name): _clean(one) for name, one in value.items()}
        case _:
            return value


def _reject_constant(token: str) -> NoReturn:
    raise ValueError(f"invalid number '{token}' in JSON")
