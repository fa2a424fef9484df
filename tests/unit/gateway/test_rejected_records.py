"""Records of the venue that cannot be bars are told in short."""

from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.market_data.bar import RejectedBar
from shared.domain.market_data.contract import Contract
from shared.gateway.wire import parse_bar_or_reject

MNQ = Contract("CON.F.US.MNQ.H26", "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.50"), is_active=True)
PRICES = dict.fromkeys("ohlc", Decimal(25_000))


def test_reason_and_record_of_a_long_value_are_cut() -> None:
    found = parse_bar_or_reject({"t": "2026-03-10T14:30:00+00:00", **PRICES, "v": "x" * 5_000}, MNQ, is_minute=True)

    assert isinstance(found, RejectedBar)
    assert (500, 500, datetime(2026, 3, 10, 14, 30, tzinfo=UTC)) == (len(found.reason), len(found.record), found.start)
    assert found.reason.startswith("volume xxx")
