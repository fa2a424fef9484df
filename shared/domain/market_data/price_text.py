"""Prices as text, with the decimals of their contract."""

from decimal import Decimal
from functools import cache

from shared.domain.market_data.contract import root_of_contract

_MORE_BETWEEN_TICKS = 2
_LEAST_OF_UNKNOWN = 2


def format_price(price: Decimal, tick_size: Decimal) -> str:
    """Return a price with the decimals of the tick: 7219.00 and 7219.25 of MES, 1.0850 of M6E.

    One that lies between two ticks, as an average may, has two more and is rounded to them: 7219.0833.
    """
    return f"{price:.{_decimals_of(tick_size) + (_MORE_BETWEEN_TICKS if price % tick_size else 0)}f}"


def format_price_of(contract_id: str, price: Decimal) -> str:
    """Return a price as `format_price` does; of a contract of an unknown root with its own decimals, at least two."""
    tick_size = _find_tick_size(contract_id)
    if tick_size is None:
        return f"{price:.{max(_decimals_of(price), _LEAST_OF_UNKNOWN)}f}"
    return format_price(price, tick_size)


@cache
def _find_tick_size(contract_id: str) -> Decimal | None:
    try:
        return root_of_contract(contract_id).tick_size
    except ValueError:
        return None


def _decimals_of(number: Decimal) -> int:
    """Return how many decimals a number has, without zeros at its end."""
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
