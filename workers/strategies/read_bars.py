"""The bars that an evaluation reads: only closed ones, only complete ones, and where they came from."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from shared.bars.bar_reader import BarsRead
from shared.clock import monotonic
from shared.db.market_data import bar_coverage
from shared.db.strategies.strategy_runs import BarsUse
from shared.domain.counting import count_of
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import BarColumns, time_of
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, intersect, subtract, unite
from shared.domain.market_data.rollup import end_of
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.strategies.strategy_error import StrategyError
from shared.errors import PostponedError
from workers.context import Context

_JUST_CLOSED = timedelta(minutes=5)  # by then two answers have shown that a minute had no trade
_ANSWERED_WITHIN = timedelta(minutes=10)  # the fetches of the next minutes ask again
_ASK_AFTER = timedelta(seconds=10)
_FASTEST_FIRST = ("memory", "redis", "postgres")


class MissingBarsError(StrategyError):
    """Minutes of the bars that a strategy reads are missing, so that it decides nothing."""


@dataclass
class EvaluationBars:
    """Reads the bars of one contract that had closed at `closed_until`, and adds up the use of them."""

    connection: Connection
    ctx: Context
    contract: Contract
    closed_until: datetime
    use: BarsUse = field(default_factory=lambda: BarsUse("memory", Decimal(0), 0))

    def read(self, timeframe: Timeframe, count: int) -> BarColumns:
        """Return the newest `count` bars, or fewer.

        Raise MissingBarsError if minutes of them are missing, and PostponedError while the venue is yet to say a second
        time that minutes had no trade.
        """
        return self._check(timeframe, count=count)

    def read_since(self, timeframe: Timeframe, since: datetime) -> BarColumns:
        """Return the bars that start at `since` or later; raise as `read` does."""
        return self._check(timeframe, since=since)

    def has_traded(self, timeframe: Timeframe) -> bool:
        """Whether a bar of this timeframe closed at `closed_until`: one without a trade does not exist."""
        newest = self._check(timeframe, count=1)
        calendar = assumed_calendar_of(ROOTS[self.contract.root].group)
        return len(newest) > 0 and end_of(time_of(int(newest.seconds[-1])), timeframe, calendar) == self.closed_until

    def _check(self, timeframe: Timeframe, *, count: int | None = None, since: datetime | None = None) -> BarColumns:
        started = monotonic()
        read = self.ctx.bars.read(
            self.connection, self.contract, timeframe, self.closed_until, count=count, since=since
        )
        self._add(read, Decimal(f"{(monotonic() - started) * 1000:.3f}"))
        first = time_of(int(read.bars.seconds[0])) if len(read.bars) else self.closed_until
        self._require_second_answer(read, first)
        missing = self._sum_missing(read, first)
        if missing:
            minutes = missing // MINUTE
            verb = "is" if minutes == 1 else "are"
            raise MissingBarsError(f"{count_of(minutes, 'minute')} of its bars {verb} missing")
        return read.bars

    def _add(self, read: BarsRead, milliseconds: Decimal) -> None:
        """Add a read to the use, whose source is the slowest of all."""
        gaps = sum(gap.duration // MINUTE for gap in read.gaps)
        source = max(self.use.source, read.source, key=_FASTEST_FIRST.index)
        self.use = BarsUse(source, self.use.read_ms + milliseconds, max(self.use.gap_minutes, gaps))

    def _require_second_answer(self, read: BarsRead, first: datetime) -> None:
        """Raise PostponedError if one answer had no bar of all that is missing, as after an hour without a trade."""
        gaps = intersect(read.gaps, [Span(first, self.closed_until - _JUST_CLOSED)])
        if not gaps or self.ctx.market_now - self.closed_until > _ANSWERED_WITHIN:
            return
        if not subtract(gaps, bar_coverage.read(self.connection, self.contract.id).unconfirmed):
            raise PostponedError(
                f"the venue has said once that {self.contract.id} had no trade for minutes", _ASK_AFTER
            )

    def _sum_missing(self, read: BarsRead, first: datetime) -> timedelta:
        """Return how much of the time since the first bar is missing, but for minutes that may just have had no trade.

        One of which the venue has sent what cannot be a bar had a trade.
        """
        unanswered = intersect(read.gaps, [Span(first, self.closed_until - _JUST_CLOSED)])
        spoilt = intersect(read.set_aside, [Span(first, self.closed_until)])
        return sum((gap.duration for gap in unite(unanswered, spoilt)), timedelta(0))
