"""Which entries risk lets through: every rule, and closed when a fact is missing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.bar import Bar
from shared.domain.calendar import calendar_of
from shared.domain.contract import Contract
from shared.domain.order import Side
from shared.domain.risk import Bracket, Entry, Facts, check_entry, check_session
from shared.errors import MarketClosedError, PostponedError, RiskLimitError

NOW = datetime(2026, 11, 24, 15, 0, 30, tzinfo=UTC)
MNQ = Contract("CON.F.US.MNQ.Z26", "MNQZ6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)
LAST = Bar(NOW.replace(second=0) - timedelta(minutes=1), 84_000, 84_010, 83_990, 84_000, 10)  # closes at 21000.00
FACTS = Facts(
    "PRAC-1",
    may_trade=True,
    halt_reason=None,
    is_reconciled=True,
    has_unknown_order=False,
    contract=MNQ,
    newest_bar=LAST,
    max_quantity=5,
)
BUY = Entry(Side.BUY, 1, stop_loss_ticks=40)


def test_an_entry_with_a_stop_passes_and_keeps_its_distances() -> None:
    assert Bracket(40, 80) == check_entry(replace(BUY, take_profit_ticks=80), FACTS, NOW)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (Entry(Side.BUY, 1, stop_loss=Decimal(20990), take_profit=Decimal("21005.5")), Bracket(40, 22)),
        (Entry(Side.SELL, 1, stop_loss=Decimal("21010.1"), take_profit=Decimal(20990)), Bracket(40, 40)),
    ],
)
def test_a_price_becomes_its_distance_from_the_last_close(entry: Entry, expected: Bracket) -> None:
    assert expected == check_entry(entry, FACTS, NOW)


@pytest.mark.parametrize(
    ("facts", "entry", "message"),
    [
        (replace(FACTS, may_trade=False), BUY, "PRAC-1 may not trade"),
        (replace(FACTS, account_name="LIVE-1"), BUY, "'LIVE-1' is of no stage we know"),
        (replace(FACTS, halt_reason="by hand"), BUY, "PRAC-1 is halted: by hand"),
        (replace(FACTS, contract=replace(MNQ, is_active=False)), BUY, "not the active contract of MNQ"),
        (FACTS, replace(BUY, quantity=6), "quantity 6 is above the limit of 5"),
        (FACTS, replace(BUY, quantity=0), "quantity 0"),
        (FACTS, replace(BUY, stop_loss_ticks=None), "no stop"),
        (FACTS, Entry(Side.BUY, 1, stop_loss=Decimal(21000)), "stop_loss 21000 must lie below the last close 21000"),
        (FACTS, Entry(Side.SELL, 1, stop_loss=Decimal(20990)), "must lie above the last close"),
        (FACTS, replace(BUY, take_profit=Decimal(20999)), "take_profit 20999 must lie above"),
        (FACTS, replace(BUY, stop_loss_ticks=0), "stop_loss_ticks 0"),
    ],
)
def test_what_must_never_be_sent_is_refused_with_the_value(facts: Facts, entry: Entry, message: str) -> None:
    with pytest.raises(RiskLimitError, match=message):
        check_entry(entry, facts, NOW)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (replace(FACTS, is_reconciled=False), "not reconciled"),
        (replace(FACTS, has_unknown_order=True), "fate is unknown"),
        (replace(FACTS, newest_bar=None), "no fresh price of CON.F.US.MNQ.Z26: none is held"),
        (replace(FACTS, newest_bar=replace(LAST, start=NOW - timedelta(minutes=4))), "no fresh price"),
    ],
)
def test_a_missing_fact_postpones_the_entry(facts: Facts, message: str) -> None:
    with pytest.raises(PostponedError, match=message):
        check_entry(BUY, facts, NOW)


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        (datetime(2026, 11, 24, 21, 8, tzinfo=UTC), datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),  # 15:08 Chicago
        (datetime(2026, 11, 24, 22, 30, tzinfo=UTC), datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),  # the daily halt
        (datetime(2026, 11, 28, 18, 0, tzinfo=UTC), datetime(2026, 11, 29, 23, 0, tzinfo=UTC)),  # Saturday
    ],
)
def test_no_entry_when_the_firm_takes_none_and_the_error_says_when_it_does(at: datetime, opens: datetime) -> None:
    with pytest.raises(MarketClosedError) as caught:
        check_session(calendar_of("equity"), MNQ, at, speed=60)

    assert opens == caught.value.opens_market_at
    assert (opens - at) / 60 == caught.value.retry_after


def test_an_entry_passes_until_15_08_in_chicago() -> None:
    check_session(calendar_of("equity"), MNQ, datetime(2026, 11, 24, 21, 7, 59, tzinfo=UTC), speed=1)
