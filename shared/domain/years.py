"""The years that a time of a person may lie in: the clock of every zone reaches beyond them."""

from datetime import date

_FIRST, _LAST = 1970, 2099
YEARS = f"from {_FIRST} to {_LAST}"


def require_year(day: date) -> None:
    """Raise ValueError for a day, or an instant, of another year."""
    if not _FIRST <= day.year <= _LAST:
        raise ValueError(f"invalid year {day.year}: expected one {YEARS}")
