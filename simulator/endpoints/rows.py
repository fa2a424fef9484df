"""Lists of rows in an answer: a long one is encoded in steps, so that the event loop serves others meanwhile."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from simulator import wire
from simulator.turns import LongAnswer

T = TypeVar("T")
MOST_AT_ONCE = 100  # rows that take no longer than a change of the thread


def encode_rows(
    name: str, rows: Sequence[T], make_model: Callable[[T], dict[str, object]], **others: object
) -> LongAnswer[bytes]:
    """Answer with the list `name` of rows, then `others`. `rows` may not change: give a list of its own."""
    encoded = []
    for row in rows:
        if len(rows) > MOST_AT_ONCE:
            yield
        encoded.append(wire.encode_raw(make_model(row)))
    payload: dict[str, Any] = {name: encoded, **others}
    return wire.encode_envelope(**payload)
