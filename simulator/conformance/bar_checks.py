"""Checks of History/retrieveBars (venue.md section 5.5)."""

from collections.abc import Iterator
from datetime import timedelta

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import CHICAGO
from simulator.conformance.budget import BARS
from simulator.conformance.context import DAY, HOUR, CheckContext, format_instant, parse_instant
from simulator.conformance.results import CheckResult, Question, asks
from simulator.conformance.schema_check import assess_rows, find_answer_differences

_MOST, _OBSERVED_CAP = 20_000, 1_000
_WEEK, _MONTH, _TICK = 5, 6, 7
_OPENS = "17:00"
_NO_BAR = "no bar in the last week: give another --contract"

FIELDS = Question("s5.bar_fields", "Have bars the documented fields? (5.5)", "as documented")
ORDER = Question("s5.bar_order", "In which order do bars come? (5.5)", "newest first")
KEPT = Question("s5.bar_limit_keeps", "Which bars of a window does the limit keep? (5.5)", "the newest")
MOST = Question("q9.bar_count", "How many bars does one request return, if 20,000 are wanted? (13.9)", "20000")
LIMITS = Question("s5.bar_limit_range", "What do the limits 0 and 20,001 get? (5.5)", "200 code 4, 200 code 4")
END = Question("q9.end_time_inclusive", "Is a bar that opens at endTime included? (13.9)", "no")
START = Question("s5.start_time_inclusive", "Is a bar that opens at startTime included? (5.5)", "yes")
TICKS = Question("q9.tick_unit", "What does unit 7 (ticks) get? (13.9)", "200 success, 0 bars")
UNITS = Question("s5.bar_units", "What do units 0 and 8 get? (5.5)", "200 code 2, 200 code 2")
NUMBER = Question("s5.bar_unit_number", "What does unitNumber 0 get? (5.5)", "200 code 3")
UNKNOWN = Question("s5.bars_unknown_contract", "What does an unknown contract get? (5.5)", "200 code 1")
LIVE = Question("s5.bars_live", "What does live true get? (5.5)", "200 success, 0 bars")
REVERSED = Question(
    "s5.bars_reversed", "What does a window that ends before it starts get? (5.5)", "200 success, 0 bars"
)
NAIVE = Question("s5.bars_naive_time", "Is a time without an offset read as UTC? (2)", "yes")
PARTIAL = Question("s5.partial_bar", "Does only includePartialBar return the forming hour? (5.5)", "yes")
DAY_STAMP = Question("s5.day_stamp", "When does a day bar open, in Chicago? (5.5)", _OPENS)
LONG_STAMPS = Question("s5.long_bars", "When do five-minute, hour, week and month bars open, in Chicago? (5.5)", "-")
DEPTH = Question(
    "s5.minute_depth", "Are there minute bars of 70 days ago? (5.5)", "yes (`minute_days` of the behaviour limits it)"
)


@asks(FIELDS, ORDER, KEPT, START, END)
def ask_window(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how a window of minute bars is cut."""
    end = context.market_now
    body = context.bars_body(end - timedelta(days=7), end, limit=10)
    document = context.rest.post(BARS, **body)
    bars = document.get("bars") or []
    differences = find_answer_differences(BARS, document)
    yield assess_rows(FIELDS, differences, len(bars), "bars", if_none=_NO_BAR)
    if len(bars) < 3:  # noqa: PLR2004 - the first, one inside, the last
        reason = "fewer than three bars in the last week: give another --contract"
        yield from (question.skip(reason) for question in (ORDER, KEPT, START, END))
        return
    times = [parse_instant(bar["t"]) for bar in bars]
    if times == sorted(times):
        yield ORDER.compare("oldest first")
    else:
        yield ORDER.compare("newest first" if times == sorted(times, reverse=True) else "in no order")
    oldest, newest = min(times), max(times)
    later = [bar for bar in context.bars(newest, end) if parse_instant(bar["t"]) > newest]
    is_newest = len(bars) == body["limit"] and len(later) <= 1  # the bar that was forming may be whole by now
    yield KEPT.assess("the newest" if is_newest else f"{len(bars)}, or not the newest", is_same=is_newest)
    found = {parse_instant(bar["t"]) for bar in context.bars(oldest, newest)}
    yield START.compare("yes" if oldest in found else "no")
    yield END.compare("yes" if newest in found else "no") if found else END.skip("no bar between two bars came")


@asks(MOST)
def ask_count(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how many bars one request returns."""
    bars = context.bars(context.market_now - timedelta(days=60), context.market_now, limit=_MOST)
    if len(bars) in {_MOST, _OBSERVED_CAP}:
        yield MOST.compare(str(len(bars)))
    else:
        yield MOST.answer(f"{len(bars)} of at most 20,000 in 60 days")


@asks(LIMITS, UNITS, NUMBER, TICKS, UNKNOWN, LIVE, REVERSED)
def ask_refusals(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what invalid requests get."""
    yield LIMITS.ask(lambda: ", ".join(context.send_bars(limit=limit).describe() for limit in (0, _MOST + 1)))
    yield UNITS.ask(lambda: ", ".join(context.send_bars(unit=unit).describe() for unit in (0, 8)))
    yield NUMBER.ask(lambda: context.send_bars(unitNumber=0).describe())
    yield TICKS.ask(lambda: _describe(context, unit=_TICK))
    yield UNKNOWN.ask(lambda: context.send_bars(contractId="CON.F.US.NONE.Z20").describe())
    yield LIVE.ask(lambda: _describe(context, live=True))
    earlier = format_instant(context.market_now - timedelta(days=30))
    yield REVERSED.ask(lambda: _describe(context, endTime=earlier))


@asks(NAIVE)
def ask_naive_time(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how a time without an offset is read."""
    end = context.market_now - 2 * MINUTE
    body = context.bars_body(end - timedelta(days=7), end, limit=5)
    reply = context.rest.send(BARS, body | {name: str(body[name]).rstrip("Z") for name in ("startTime", "endTime")})
    bars = context.rest.rows(BARS, "bars", **body)
    if not reply.is_success:
        yield NAIVE.compare(reply.describe())
    elif not bars:
        yield NAIVE.skip(_NO_BAR)
    else:
        yield NAIVE.compare("yes" if reply.document.get("bars") == bars else "no")


@asks(PARTIAL)
def ask_partial_bar(context: CheckContext) -> Iterator[CheckResult]:
    """Ask for the forming hour."""
    context.load_newest_bar()
    if context.newest_bar is None:
        yield PARTIAL.skip(_NO_BAR)
        return
    newest_minute = parse_instant(context.newest_bar["t"])
    start, end = context.market_now - timedelta(days=4), context.market_now + timedelta(minutes=2)
    with_partial, whole = (
        context.bars(start, end, unit=HOUR, limit=1, includePartialBar=is_wanted) for is_wanted in (True, False)
    )
    if not with_partial or not whole:
        yield PARTIAL.skip("no hour bar in four days: run again in an open market")
        return
    newest, newest_whole = parse_instant(with_partial[0]["t"]), parse_instant(whole[0]["t"])
    is_whole_over = newest_whole + timedelta(hours=1) <= context.market_now + MINUTE
    is_same = newest <= newest_minute < newest + timedelta(hours=1) and is_whole_over
    yield PARTIAL.assess(
        "yes" if is_same else f"newest hours {newest:%H:%M}, whole {newest_whole:%H:%M}", is_same=is_same
    )


@asks(DAY_STAMP, LONG_STAMPS)
def ask_long_bars(context: CheckContext) -> Iterator[CheckResult]:
    """Ask when longer bars open."""
    start, end = context.market_now - timedelta(days=20), context.market_now
    days = context.bars(start, end, unit=DAY, limit=5)
    opens = sorted({f"{parse_instant(bar['t']).astimezone(CHICAGO):%H:%M}" for bar in days})
    yield DAY_STAMP.compare(", ".join(opens)) if opens else DAY_STAMP.skip("no day bar in 20 days")
    stamps = []
    for name, unit, number, back in (
        ("5 minutes", 2, 5, 7), ("15 minutes", 2, 15, 7), ("4 hours", HOUR, 4, 7), ("week", _WEEK, 1, 60),
        ("month", _MONTH, 1, 120),
    ):  # fmt: skip
        bars = context.bars(end - timedelta(days=back), end, unit=unit, unitNumber=number, limit=2)
        stamp = f"{parse_instant(bars[0]['t']).astimezone(CHICAGO):%a %d %b %H:%M}" if bars else "no bar"
        stamps.append(f"{name}: {stamp}")
    yield LONG_STAMPS.answer("; ".join(stamps))


@asks(DEPTH)
def ask_depth(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how far back minute bars go."""
    start = context.market_now - timedelta(days=74)
    bars = context.bars(start, start + timedelta(days=4), limit=5)
    yield DEPTH.assess("yes" if bars else "no", is_same=bool(bars))


def _describe(context: CheckContext, **changes: object) -> str:
    reply = context.send_bars(**changes)
    rows = reply.document.get("bars") if reply.is_success else None
    return f"{reply.describe()}, {len(rows)} bars" if isinstance(rows, list) else reply.describe()


CHECKS = (
    ask_window, ask_count, ask_refusals, ask_naive_time, ask_partial_bar, ask_long_bars, ask_depth,
)  # fmt: skip
