"""The position that a sender wants: a side with its size, or flat."""

from collections.abc import Mapping

from shared.domain.alerts.fields import (
    MAX_CONTRACTS,
    invalid_value,
    missing_field,
    parse_whole_number,
    read_field,
    read_unsigned,
)
from shared.domain.alerts.payload import Json, RefusedAlertError
from shared.domain.orders.order import Direction

_DIRECTIONS = {"long": Direction.LONG, "short": Direction.SHORT, "flat": Direction.FLAT}


def is_flat(payload: Mapping[str, Json]) -> bool:
    """Whether the sender wants no position: `market_position` is flat, or its size is 0 without a side."""
    position = payload.get("market_position")
    side = position.strip().lower() if isinstance(position, str) else position
    return side == "flat" or (side in (None, "") and read_unsigned(payload.get("market_position_size")) == 0)


def parse_direction(
    payload: Mapping[str, Json], field: str = "market_position", *, is_strict: bool = True
) -> Direction | None:
    """Return the direction of a position of the sender's, None if it says none.

    Without `is_strict` an unreadable one is None too.
    """
    hint = f'expected "long", "short" or "flat", such as "{{{{strategy.{field}}}}}"'
    try:
        value = read_field(payload, field, hint)
        direction = _DIRECTIONS.get(value.strip().lower()) if isinstance(value, str) else None
        if value is not None and direction is None:
            raise invalid_value(field, value, hint)
    except RefusedAlertError:
        if is_strict:
            raise
        return None
    return direction


def parse_target_position(payload: Mapping[str, Json], direction: Direction) -> int:
    """Return the position in a direction, LONG or SHORT, that the sender wants: negative for short.

    It is `market_position` with `market_position_size`, as TradingView's strategies fill them; the first without the
    other is refused, as what is traded could contradict it.
    """
    hint = f"expected a whole number of contracts from 1 to {MAX_CONTRACTS}, as market_position is not flat"
    size = read_field(payload, "market_position_size", hint)
    if size is None:
        raise missing_field("market_position_size", hint)
    wanted = parse_whole_number("market_position_size", size, MAX_CONTRACTS, hint)
    return wanted if direction is Direction.LONG else -wanted


def refuse_size_without_side(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for an entry whose `market_position_size` has no `market_position` beside it."""
    if "market_position_size" in payload:
        raise missing_field("market_position", "send market_position with market_position_size, or neither")
