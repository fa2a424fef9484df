"""Durations as a person types and reads them."""

from datetime import timedelta

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def format_duration(duration: timedelta) -> str:
    """Return a duration in its longest unit, such as `90s`, `30m`, `2h` or `1d`."""
    seconds = int(duration.total_seconds())
    unit, length = next((unit, length) for unit, length in _SECONDS.items() if not seconds % length)
    return f"{seconds // length}{unit}"
