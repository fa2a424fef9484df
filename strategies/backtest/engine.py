"""A backtest: a strategy decides on each closed bar, and its orders fill along the minutes after it."""

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from shared.domain.market_data.bar_columns import BarColumns, seconds_of, time_of
from shared.domain.market_data.calendar import Session, trading_day_begins
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.strategies.decision import Cancel, Decision, Enter, EnterEither, Exit, MoveStop, Target
from shared.domain.strategies.strategy import Strategy
from shared.domain.strategies.strategy_error import StrategyError, TooFewBarsError
from shared.domain.strategies.view import View
from shared.domain.trades.round_trip import Fill
from strategies.backtest.admission import Moment
from strategies.backtest.book import Book
from strategies.backtest.extremes import Extremes
from strategies.backtest.loss_limits import LossLimits
from strategies.backtest.minute_walk import MinuteWalk
from strategies.backtest.order_maker import OrderMaker
from strategies.backtest.rolled_bars import RolledBars
from strategies.backtest.tape import tape_of
from strategies.backtest.terms import BacktestTerms
from strategies.backtest.view_builder import ViewBuilder

_DECISIONS = (Enter, EnterEither, Exit, MoveStop, Target, Cancel)
Tell = Callable[[datetime], None]


@dataclass(slots=True, kw_only=True)
class BacktestRun:
    """What has happened in a backtest: its fills, the balance at the end of each trading day, and what was counted.

    `evaluation_count` is of the closed bars that the strategy saw; of these it had too few bars for
    `too_few_bars_count`. `undecided_count` is of the minutes in which the order of the prices decides what filled.
    """

    fills: list[Fill] = field(default_factory=list)
    day_balances: list[tuple[date, Decimal]] = field(default_factory=list)
    evaluation_count: int = 0
    too_few_bars_count: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)
    undecided_count: int = 0
    entry_count: int = 0
    held: int = 0
    limits: LossLimits | None = None
    day_lock_count: int = 0
    balance: Decimal = Decimal(0)
    open_result: Decimal = Decimal(0)


def run_backtest(
    strategy: Strategy, minutes: BarColumns, terms: BacktestTerms, span: Span, tell: Tell = lambda _: None
) -> BacktestRun:
    """Return what a strategy does on the bars that close in `span`; older minutes are there for it to look back.

    `tell` is called with the market time at the beginning of each trading day. Raise StrategyError, with the bar, for
    a strategy that fails or that decides what is no decision.
    """
    return _Engine(strategy, minutes, terms, span, tell).run()


class _Engine:
    def __init__(self, strategy: Strategy, minutes: BarColumns, terms: BacktestTerms, span: Span, tell: Tell) -> None:
        self._strategy, self._terms, self._span, self._tell = strategy, terms, span, tell
        self._timeframe = Timeframe.parse(strategy.timeframe)
        minutes = minutes[: np.searchsorted(minutes.seconds, seconds_of(span.end))]
        self._tape = tape_of(minutes)
        self._series = RolledBars(minutes, terms.calendar, span.end)
        self._view_builder = ViewBuilder(terms, self._timeframe, self._series)
        self._order_maker = OrderMaker(terms)
        self._extremes = Extremes()
        self._result = BacktestRun()
        rules = terms.rule_book
        limits = None if rules is None else LossLimits(
            rules=rules, high_water_mark=terms.balance, day_balance=terms.balance
        )  # fmt: skip
        book = Book(
            contract=terms.contract, costs=terms.costs, strategy=terms.name or type(strategy).__name__,
            balance=terms.balance, limits=limits,
        )  # fmt: skip
        self._walk = MinuteWalk(self._tape, book, seconds_of(span.start), is_worst=terms.intrabar == "worst")
        self._day_balance = terms.balance
        self._day = terms.calendar.trading_day_of(span.start)

    def run(self) -> BacktestRun:
        if not self._tape.seconds:
            return self._result
        sessions = list(self._terms.calendar.sessions_within(self._span))
        sessions.append(self._terms.calendar.next_session(self._span.end))
        closes = [seconds_of(session.closes) for session in sessions]
        deadlines = deque(_list_deadlines(sessions, seconds_of(self._span.end)))
        bars = self._series.of(self._timeframe)
        first = bisect_right(bars.ends, seconds_of(self._span.start))
        for end in bars.ends[first:]:
            while deadlines and deadlines[0].at <= end:
                self._apply_deadline(deadlines.popleft())
            self._walk.advance(end)
            self._evaluate(end, sessions[bisect_right(closes, end)])
        for deadline in deadlines:
            self._apply_deadline(deadline)
        self._walk.advance(seconds_of(self._span.end))
        self._end_day()
        return self._finish()

    def _apply_deadline(self, deadline: "_Deadline") -> None:
        """Close everything at the time to be flat, or begin a trading day."""
        self._walk.advance(deadline.at)
        book = self._walk.book
        if deadline.is_flat_by:
            book.close_all(time_of(deadline.at))
            return
        if deadline.day == self._day:
            return
        self._end_day()
        self._day = deadline.day
        self._day_balance = book.balance
        book.entry_count = 0
        if book.limits is not None:
            book.limits = book.limits.begin_day(book.balance)
        self._tell(time_of(deadline.at))

    def _end_day(self) -> None:
        book = self._walk.book
        self._result.entry_count += book.entry_count
        self._result.day_balances.append((self._day, book.balance))

    def _evaluate(self, end: int, session: Session) -> None:
        minutes, now, result = self._walk, time_of(end), self._result
        book, tape, seen = minutes.book, self._tape, minutes.next_index
        opened_at = book.opened_at
        first = 0 if opened_at is None else bisect_left(tape.seconds, opened_at.timestamp())
        self._extremes.update(opened_at, first, seen, tape.highs, tape.lows)
        quote = tape.quote_after(seen - 1)
        view = self._view_builder.build(
            now, session, book, self._extremes, last=quote.last, day_balance=self._day_balance
        )
        result.evaluation_count += 1
        decision = self._decide(view)
        if decision is None:
            return
        result.decisions[type(decision).__name__] += 1
        is_open = session.opens <= now < session.closes and not any(
            pause.start <= now < pause.end for pause in session.pauses
        )
        self._order_maker.apply(decision, book, Moment(now, quote, session, is_open))

    def _decide(self, view: View) -> Decision | None:
        name = type(self._strategy).__name__
        try:
            decision = self._strategy.decide(view)
        except TooFewBarsError:
            self._result.too_few_bars_count += 1
            return None
        except Exception as error:
            raise StrategyError(
                f"{name} failed on the bar that closed at {view.now:%Y-%m-%d %H:%M} UTC: "
                f"{type(error).__name__}: {error}"
            ) from error
        if decision is not None and not isinstance(decision, _DECISIONS):
            raise StrategyError(
                f"{name} decided {decision!r} on the bar that closed at {view.now:%Y-%m-%d %H:%M} UTC: expected a "
                "decision or None"
            )
        return decision

    def _finish(self) -> BacktestRun:
        book, result = self._walk.book, self._result
        result.fills = self._walk.fills
        result.undecided_count = self._walk.undecided_count
        result.rejections = self._order_maker.rejections
        result.balance, result.open_result = book.balance, book.open_result(self._tape.closes[-1])
        result.limits, result.held, result.day_lock_count = book.limits, book.position.quantity, book.day_lock_count
        return result


class _Deadline(NamedTuple):
    """An instant in seconds since 1970 at which a trading day begins, or everything must be closed."""

    at: int
    day: date
    is_flat_by: bool = False


def _list_deadlines(sessions: Sequence[Session], until: int) -> list[_Deadline]:
    found = [
        deadline
        for session in sessions
        for deadline in (
            _Deadline(seconds_of(trading_day_begins(session.trading_day)), session.trading_day),
            _Deadline(seconds_of(session.flat_by), session.trading_day, is_flat_by=True),
        )
    ]
    return sorted(one for one in found if one.at < until or (one.is_flat_by and one.at == until))
