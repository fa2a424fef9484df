"""The fills that may explain a balance although they are no trade of today: then it was no payout."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.orders.order import Side
from shared.gateway.wire import VenueFill
from workers.accounts.check_balance import may_explain

DAY_BEGAN = datetime(2026, 3, 9, 22, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILL = VenueFill(
    id=1,
    account_id=1,
    order_id=1,
    contract_id="CON.F.US.MNQ.H26",
    side=Side.SELL,
    quantity=1,
    price=Decimal(20_000),
    gross_pnl=Decimal(-300),
    fees=Decimal(0),
    commissions=Decimal(0),
    is_voided=False,
    filled_market_at=DAY_BEGAN,
)


@pytest.mark.parametrize(
    ("filled", "settled", "expected"),
    [
        (-2 * HOUR, -3 * HOUR, True),  # nothing ran when a stop filled, and the next report came on another day
        (-2 * HOUR, -HOUR, False),  # the balance of before had it
        (HOUR, -3 * HOUR, False),  # a trade of today, which our rows count
    ],
)
def test_a_fill_of_an_earlier_day_after_the_last_settled_balance_may_explain_it(
    filled: timedelta, settled: timedelta, *, expected: bool
) -> None:
    fill = replace(FILL, filled_market_at=DAY_BEGAN + filled)

    assert expected == may_explain(fill, DAY_BEGAN + settled, DAY_BEGAN, is_known=True)


def test_a_fill_of_an_unknown_product_may_explain_the_balance_after_it() -> None:
    assert may_explain(FILL, DAY_BEGAN - HOUR, DAY_BEGAN, is_known=False)
    assert not may_explain(FILL, DAY_BEGAN + HOUR, DAY_BEGAN, is_known=False)


def test_a_fill_that_was_voided_later_may_explain_a_balance() -> None:
    old = replace(FILL, filled_market_at=DAY_BEGAN - 20 * HOUR, is_voided=True)

    assert may_explain(old, DAY_BEGAN - HOUR, DAY_BEGAN, is_known=True)
    assert may_explain(replace(FILL, is_voided=True), DAY_BEGAN + HOUR, DAY_BEGAN, is_known=False)
    assert not may_explain(replace(FILL, is_voided=True), DAY_BEGAN - HOUR, DAY_BEGAN, is_known=True), "our row has it"
