"""What clients of the real venue saw in answers, done to ours: lists gone, instants without zone, unknown numbers."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from simulator import wire

_INSTANT = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)$")
_UNKNOWN = 99
_SEARCHES = ("/api/Order/searchOpen", "/api/Position/searchOpen")


class Spoiler:
    """Spoils answers; it remembers the searches of open rows, to give an old answer once more."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, bytes], bytes] = {}

    def remember(self, path: str, request: bytes, answer: bytes) -> None:
        """Take note of an answer before it goes out."""
        if path in _SEARCHES:
            self._last[path, request] = answer

    def spoil(self, kind: str, path: str, request: bytes, answer: bytes) -> bytes:
        """Return the answer as the fault leaves it; one that has nothing to spoil stays as it is.

        null_list and absent_list: the list of rows is null, or not there. naive_timestamps: without their offset.
        seven_digits: with seven digits of a second. unknown_enum: a type nobody has heard of. stale_search_open: what
        was open at the last search. short_page: only the newest half of the bars.
        """
        if kind == "stale_search_open":
            return self._last.get((path, request), answer)
        document = json.loads(answer, parse_float=Decimal)
        if not isinstance(document, dict):
            return answer
        lists = [name for name, value in document.items() if isinstance(value, list)]
        for name in lists:
            if kind == "null_list":
                document[name] = None
            elif kind == "absent_list":
                del document[name]
            elif kind == "short_page" and name == "bars":
                document[name] = document[name][: len(document[name]) // 2]
            elif kind == "unknown_enum" and name in {"orders", "positions"}:
                document[name] = [row | {"type": _UNKNOWN} for row in document[name]]
        if kind == "naive_timestamps":
            document = _instants(document, lambda found: found[1] + (found[2] or ""))
        elif kind == "seven_digits":
            document = _instants(document, lambda found: f"{found[1]}{(found[2] or '.').ljust(8, '0')}{found[3]}")
        return wire.encoded(document)


def _instants(value: Any, rewrite: Callable[[re.Match[str]], str]) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(value, dict):
        return {name: _instants(one, rewrite) for name, one in value.items()}
    if isinstance(value, list):
        return [_instants(one, rewrite) for one in value]
    found = _INSTANT.match(value) if isinstance(value, str) else None
    return rewrite(found) if found else value
