"""What the venue's answers have shown of a contract's minutes: which are complete, and which are to be asked again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.market_data.bar import MINUTE, minute_of
from shared.domain.market_data.coverage import Span, intersect, subtract, unite

# The venue may publish a bar a moment late: only after this does a minute without a bar count.
LATE_BY = timedelta(minutes=2)
CONFIRMED_AFTER = timedelta(seconds=30)  # two answers of one moment may lack the same bars
# An answer that was cut short and one of a quiet market end alike: this much open market after its newest bar counts.
QUIET_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class BarCoverage:
    """The minutes of a contract, in market time.

    `complete` are those whose bar is stored, or that have none for certain: the market was closed, or two answers had
    no bar of them. `unconfirmed` are those that one answer had no bar of, of which the oldest came at
    `answered_market_at` or later.
    """

    complete: tuple[Span, ...] = ()
    unconfirmed: tuple[Span, ...] = ()
    answered_market_at: datetime | None = None

    def add_answer(
        self,
        asked: Span,
        starts: Iterable[datetime],
        open_spans: Iterable[Span],
        market_now: datetime,
        *,
        is_second: bool | None = None,
    ) -> "BarCoverage":
        """Return the coverage after an answer to `asked`, with bars that start at `starts`.

        An answer may be cut short at either end, or lack a bar that a later one has. So it shows nothing of the minutes
        before its first bar and of those beyond QUIET_FOR after its newest, and one alone shows no minute to be without
        a trade; who asks begins with a bar that is stored. `open_spans` is when the market was open in `asked`.
        `is_second` says whether an answer long before had no bar of the same minutes; None lets the time since the last
        answer decide, as for answers to the same question again and again.

        `market_now` comes from the computer's clock, which may be wrong. What answers showed by one that was ahead is
        forgotten: minutes after `market_now`, and those of an answer that came after it.
        """
        before = self._without_future(market_now)
        received = unite(Span(start, start + MINUTE) for start in starts)
        complete = unite(before.complete, received)
        settled = (Span(asked.start, min(asked.end, (market_now - LATE_BY).replace(second=0, microsecond=0))),)
        opened = unite(open_spans)
        lacking = subtract(intersect(settled, _find_shown(received, opened)), complete)
        is_later = before.answered_market_at is None or market_now - before.answered_market_at >= CONFIRMED_AFTER
        may_confirm = is_later if is_second is None else is_second
        confirmed = intersect(lacking, before.unconfirmed) if may_confirm else ()
        added = subtract(lacking, confirmed) if is_later or is_second is not None else ()
        complete = unite(complete, confirmed, subtract(settled, opened))
        return BarCoverage(
            complete=complete,
            unconfirmed=subtract(unite(before.unconfirmed, added), complete),
            answered_market_at=market_now
            if is_second is False or (is_later and is_second is None)
            else before.answered_market_at,
        )

    def _without_future(self, market_now: datetime) -> "BarCoverage":
        future = Span(minute_of(market_now), datetime.max.replace(tzinfo=market_now.tzinfo))
        complete = subtract(self.complete, [future])
        if self.answered_market_at is not None and self.answered_market_at > market_now:
            return BarCoverage(complete)
        return BarCoverage(complete, self.unconfirmed, self.answered_market_at)


def _find_shown(received: Sequence[Span], opened: Sequence[Span]) -> tuple[Span, ...]:
    """Return the part of the open market of which an answer tells: from its first bar on, QUIET_FOR beyond its last."""
    if not received:
        return ()
    found, left = intersect(opened, [Span(received[0].start, received[-1].end)]), QUIET_FOR
    for span in subtract(opened, [Span(min(opened[0].start, received[0].start), received[-1].end)]):
        found = (*found, Span(span.start, min(span.end, span.start + left)))
        left -= found[-1].duration
    return unite(found)
