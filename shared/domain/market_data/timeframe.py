"""Timeframes: how long the bars of a series are, from one minute to one month."""

import re
from dataclasses import dataclass
from typing import Literal

_MINUTES = {"m": 1, "h": 60, "d": 1_440}
_A_DAY = 1_440
_TEXT = re.compile(r"(\d{1,4})(s|m|h|d|w|mo)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """The length of a bar: `count` minutes of a session up to the whole of it, which is a day, or a week or month.

    A week and a month are made of whole sessions, by their trading days.
    """

    unit: Literal["minute", "week", "month"]
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Timeframe":
        """Return the timeframe of a text such as 1m, 90m, 4h, 1d, 1w or 1mo; raise ValueError for any other."""
        found = _TEXT.fullmatch(text)
        count, unit = (int(found[1]), found[2]) if found else (0, "")
        if unit == "s":
            raise ValueError(f"timeframe {text!r} is shorter than a minute: bars are kept from 1m on")
        if unit in {"w", "mo"} and count == 1:
            return cls("week" if unit == "w" else "month")
        minutes = count * _MINUTES.get(unit, 0)
        if not 1 <= minutes <= _A_DAY:
            raise ValueError(f"timeframe {text!r} is none of 1m to 1440m, 1h to 24h, 1d, 1w and 1mo")
        return cls("minute", minutes)

    @property
    def minutes(self) -> int | None:
        """The minutes of a bar within a session; None for a week and a month, which are made of sessions."""
        return self.count if self.unit == "minute" else None

    def __str__(self) -> str:
        if self.unit != "minute":
            return "1w" if self.unit == "week" else "1mo"
        if self.count == _A_DAY:
            return "1d"
        return f"{self.count // 60}h" if self.count % 60 == 0 else f"{self.count}m"


ONE_MINUTE = Timeframe("minute", 1)
# Those that most charts and strategies use.
COMMON = tuple(map(Timeframe.parse, ("1m", "2m", "3m", "5m", "10m", "15m", "30m", "1h", "2h", "4h", "1d")))
