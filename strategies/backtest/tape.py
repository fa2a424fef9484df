"""The one-minute bars of a backtest as plain lists, and the paths of the price through one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.bar_columns import BarColumns, time_of
from shared.domain.orders.matching import Move, Quote, moves_of


@dataclass(frozen=True, slots=True)
class Tape:
    """Lists of one length: the start of each bar in seconds since 1970, and its prices in ticks."""

    seconds: list[int]
    opens: list[int]
    highs: list[int]
    lows: list[int]
    closes: list[int]

    def path(self, index: int, *, is_other_way: bool = False) -> Sequence[Move]:
        """Return the path through a bar, that of the simulator or the other way round."""
        return tuple(moves_of(self._bar(index), is_other_way=is_other_way))

    def quote_after(self, index: int) -> Quote:
        """Return the quote as a bar has left it; before the first bar, as that one opens."""
        if index < 0:
            return Quote(self.opens[0], self.opens[0] + 1, self.opens[0])
        close = self.closes[index]
        return Quote(close, close + 1, close) if close >= self.opens[index] else Quote(close - 1, close, close)

    def _bar(self, index: int) -> Bar:
        prices = (self.opens[index], self.highs[index], self.lows[index], self.closes[index])
        return Bar(time_of(self.seconds[index]), *prices, 0)


def tape_of(minutes: BarColumns) -> Tape:
    """Return the bars as lists."""
    return Tape(*(column.tolist() for column in minutes.arrays[:5]))
