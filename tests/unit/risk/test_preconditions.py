"""The pre-trade checks of an entry: each of them, and a missing fact, which postpones it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import PRICE_FIELDS, OrderType, Side
from shared.domain.risk.preconditions import (
    Bracket,
    EntryFacts,
    EntryTerms,
    check_preconditions,
    check_session,
    measure_stop,
)
from shared.errors import MarketClosedError, PostponedError, RiskLimitError

MNQ = Contract("CON.F.US.MNQ.Z26", "MNQZ6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)
FACTS = EntryFacts(
    account_id=7,
    account_name="PRAC-1",
    may_trade=True,
    is_live=True,
    halt_reason=None,
    read_only_reason=None,
    is_reconciled=True,
    has_in_doubt_order=False,
    is_being_flattened=False,
    contract=MNQ,
    price=Decimal(21000),
)
BUY = EntryTerms(side=Side.BUY, quantity=1, stop_loss_ticks=40)
SELL = replace(BUY, side=Side.SELL)


def test_an_entry_with_a_stop_passes_and_keeps_its_distances() -> None:
    assert Bracket(40, 80) == check_preconditions(replace(BUY, take_profit_ticks=80), FACTS)


def test_an_entry_without_a_stop_takes_the_accounts_default() -> None:
    assert Bracket(60, None) == check_preconditions(
        replace(BUY, stop_loss_ticks=None), replace(FACTS, default_stop_ticks=60)
    )


def with_prices(entry: EntryTerms, stop_loss: str, take_profit: str | None = None) -> EntryTerms:
    target = None if take_profit is None else Decimal(take_profit)
    return replace(entry, stop_loss_ticks=None, stop_loss=Decimal(stop_loss), take_profit=target)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (with_prices(BUY, stop_loss="20990", take_profit="21005.5"), Bracket(40, 22)),
        (with_prices(SELL, stop_loss="21010.1", take_profit="20990"), Bracket(40, 40)),
        (
            with_prices(replace(BUY, type=OrderType.LIMIT, limit_price=Decimal(20980)), stop_loss="20970"),
            Bracket(40, None),
        ),
        (
            with_prices(replace(SELL, type=OrderType.STOP, stop_price=Decimal(20980)), stop_loss="20990"),
            Bracket(40, None),
        ),
    ],
)
def test_a_price_becomes_its_distance_from_the_fill_of_the_entry(entry: EntryTerms, expected: Bracket) -> None:
    assert expected == check_preconditions(entry, FACTS)


def at_price(entry: EntryTerms, type_: OrderType, price: str) -> EntryTerms:
    own: dict[str, Any] = {PRICE_FIELDS[type_]: Decimal(price)}
    return replace(entry, type=type_, **own)


@pytest.mark.parametrize(
    ("entry", "type_", "own_price", "stop_loss", "expected"),
    [
        (BUY, OrderType.LIMIT, "21050", "20990", Bracket(40, 40)),
        (BUY, OrderType.LIMIT, "20995", "20985", Bracket(40, 60)),
        (SELL, OrderType.LIMIT, "20950", "21010", Bracket(40, 40)),
        (SELL, OrderType.LIMIT, "21005", "21015", Bracket(40, 60)),
        (BUY, OrderType.STOP, "20950", "20990", Bracket(40, 40)),
        (SELL, OrderType.STOP, "21050", "21010", Bracket(40, 40)),
    ],
)
def test_the_prices_of_an_entry_that_fills_at_once_are_measured_from_the_market(
    entry: EntryTerms, type_: OrderType, own_price: str, stop_loss: str, expected: Bracket
) -> None:
    """The market is at 21000, where also a limit beyond it fills; each target is 10 points away from there."""
    target = "21010" if entry.side is Side.BUY else "20990"
    entry = with_prices(at_price(entry, type_, own_price), stop_loss, target)

    assert expected == check_preconditions(entry, FACTS)
    assert expected.stop_loss_ticks == measure_stop(entry, FACTS)


def test_without_a_quote_the_stop_of_a_limit_entry_is_measured_from_its_limit() -> None:
    entry = with_prices(at_price(BUY, OrderType.LIMIT, "21050"), stop_loss="20990")

    assert 240 == measure_stop(entry, replace(FACTS, price=None))


def test_a_stop_between_the_limit_and_the_market_is_denied_with_both_prices() -> None:
    entry = with_prices(at_price(BUY, OrderType.LIMIT, "21050"), stop_loss="21010")
    message = "stop_loss 21010 must lie below the entry at 21000.00 of .*, where a BUY LIMIT at 21050 fills now"

    with pytest.raises(RiskLimitError, match=message):
        check_preconditions(entry, FACTS)


@pytest.mark.parametrize(
    ("facts", "entry", "message"),
    [
        (replace(FACTS, may_trade=False), BUY, "PRAC-1 may not trade"),
        (replace(FACTS, account_name="LIVE-1"), BUY, "unknown stage of account 'LIVE-1'"),
        (replace(FACTS, is_live=False), BUY, "live orders of account PRAC-1 are off: `tickwork accounts live 7 on`"),
        (replace(FACTS, halt_reason="by hand"), BUY, "PRAC-1 is halted: by hand"),
        (replace(FACTS, contract=replace(MNQ, is_active=False)), BUY, "not the active contract of MNQ"),
        (FACTS, replace(BUY, stop_loss_ticks=None), "no stop"),
        (FACTS, with_prices(BUY, stop_loss="21000"), "stop_loss 21000 must lie below the entry at 21000.00 "),
        (FACTS, with_prices(SELL, stop_loss="20990"), "must lie above the entry"),
        (FACTS, replace(BUY, take_profit=Decimal(20999)), "take_profit 20999 must lie above"),
        (FACTS, replace(BUY, stop_loss_ticks=0), "stop_loss_ticks 0"),
        (FACTS, replace(BUY, stop_loss_ticks=3), "stop_loss_ticks 3 must lie between 4, as the venue asks, and"),
        (FACTS, replace(BUY, take_profit_ticks=1), "take_profit_ticks 1 must lie between 4"),
        (
            FACTS,
            with_prices(SELL, stop_loss="21000.75"),
            "21000.75 is 3 ticks from the entry at 21000.00 .* nearer than 4",
        ),
        (FACTS, replace(BUY, type=OrderType.LIMIT), "a LIMIT order needs a limit_price"),
        (FACTS, replace(BUY, limit_price=Decimal(21000)), "a MARKET order must have no limit_price"),
        (FACTS, replace(BUY, type=OrderType.LIMIT, limit_price=Decimal("20999.9")), "20999.9 is not a multiple"),
    ],
)
def test_an_invalid_entry_is_refused_with_its_value(facts: EntryFacts, entry: EntryTerms, message: str) -> None:
    with pytest.raises(RiskLimitError, match=message):
        check_preconditions(entry, facts)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (replace(FACTS, is_reconciled=False), "not reconciled"),
        (replace(FACTS, has_in_doubt_order=True), "an order in doubt"),
        (replace(FACTS, is_being_flattened=True), "CON.F.US.MNQ.Z26 is being flattened"),
        (replace(FACTS, price=None), "no fresh quote of CON.F.US.MNQ.Z26"),
    ],
)
def test_a_missing_fact_postpones_the_entry(facts: EntryFacts, message: str) -> None:
    with pytest.raises(PostponedError, match=message):
        check_preconditions(BUY, facts)


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        (datetime(2026, 11, 24, 21, 8, tzinfo=UTC), datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),  # 15:08 Chicago
        (datetime(2026, 11, 24, 22, 30, tzinfo=UTC), datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),  # the daily halt
        (datetime(2026, 11, 28, 18, 0, tzinfo=UTC), datetime(2026, 11, 29, 23, 0, tzinfo=UTC)),  # Saturday
    ],
)
def test_an_entry_outside_the_hours_is_postponed_until_the_next_opening(at: datetime, opens: datetime) -> None:
    with pytest.raises(MarketClosedError) as caught:
        check_session(calendar_of("equity"), MNQ, at, speed=60)

    assert opens == caught.value.opens_market_at
    assert (opens - at) / 60 == caught.value.retry_after


def test_an_entry_passes_until_15_08_in_chicago() -> None:
    check_session(calendar_of("equity"), MNQ, datetime(2026, 11, 24, 21, 7, 59, tzinfo=UTC), speed=1)
