"""What is wrong with the stored bars of a contract, and what their coverage says of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from cli.client.bar_gaps import MISSING, SET_ASIDE, list_gaps, list_open_spans
from shared.bars.set_aside import list_set_aside
from shared.db.market_data import bar_coverage, bars
from shared.domain.counting import count_of
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_checks import MINUTE_S, Flags, is_ordered, is_storable, is_within
from shared.domain.market_data.bar_columns import BarColumns, seconds_of, time_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, intersect, subtract

# Younger minutes may lack a bar for a moment: the venue is asked twice for it.
_SETTLED_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class BarFinding:
    """Something wrong with bars of a contract: how many minutes have it, and the first of them."""

    contract: str
    fault: str
    count: int
    start: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class BarCheck:
    """What was checked of a contract, and what was found; `no_trade_minutes` are complete and have no bar."""

    contract: str
    since: datetime
    until: datetime
    bars: int
    no_trade_minutes: int
    gap_minutes: int
    findings: list[BarFinding] = field(default_factory=list)


def check_contract(connection: Connection, contract: Contract, span: Span, market_now: datetime) -> BarCheck:
    """Check the bars of a contract in a span of market time.

    A gap is wrong unless it is young, or one answer of the venue had no bar of it and the second is to come.
    """
    found = bars.read(connection, contract.id, span)
    opened = list_open_spans(contract.id, span)
    complete = intersect(opened, bar_coverage.read(connection, contract.id).complete)
    complete = subtract(complete, list_set_aside(connection, contract.id, span, found))
    is_complete = is_within(found.seconds, complete)
    settled = Span(span.start, min(span.end, market_now - _SETTLED_AFTER))
    gaps = list_gaps(connection, contract.id, settled) if settled.start < settled.end else []
    findings = [
        *_list_wrong(contract, found, is_within(found.seconds, opened), is_complete, market_now),
        *_check_tick(contract),
    ]
    for state, fault, advice in (
        (MISSING, "gap", "`tickwork bars gaps` lists them, `backfill` fetches them"),
        (SET_ASIDE, "set_aside", "the venue sent what cannot be a bar, and `tickwork bars list` shows that"),
    ):
        if wrong := [gap for gap in gaps if gap["state"] == state]:
            minutes = sum(gap["minutes"] for gap in wrong)
            text = f"{count_of(len(wrong), 'gap')}: {advice}"
            findings.append(BarFinding(contract.id, fault, minutes, wrong[-1]["start"], text))
    covered = sum(one.duration // MINUTE for one in complete)
    return BarCheck(
        contract.id,
        span.start,
        span.end,
        bars=len(found),
        no_trade_minutes=covered - int(is_complete.sum()),
        gap_minutes=sum(gap["minutes"] for gap in gaps),
        findings=findings,
    )


def _list_wrong(
    contract: Contract, found: BarColumns, is_inside: Flags, is_complete: Flags, market_now: datetime
) -> Iterator[BarFinding]:
    for name, is_wrong, detail in (
        ("not_ordered", ~is_ordered(found), "low and high do not enclose open and close"),
        (
            "not_possible",
            ~is_storable(found, ROOTS[contract.root].group),
            "a price is not above 0, the volume below 0, or one too large",
        ),
        ("not_closed", found.seconds + MINUTE_S > seconds_of(market_now), "it ends in the future"),
        ("outside_session", ~is_inside, "the market was closed: a pause, a weekend or a holiday"),
        ("not_covered", is_inside & ~is_complete, "a stored bar of a minute that the coverage does not have"),
    ):
        if is_wrong.any():
            first = time_of(int(found.seconds[int(np.argmax(is_wrong))]))
            yield BarFinding(contract.id, name, int(is_wrong.sum()), first, detail)


def _check_tick(contract: Contract) -> Iterator[BarFinding]:
    expected = ROOTS[contract.root].tick_size
    if contract.tick_size != expected:
        detail = f"the stored tick is {contract.tick_size}, that of {contract.root} is {expected}: prices are wrong"
        yield BarFinding(contract.id, "tick_size", 1, None, detail)
