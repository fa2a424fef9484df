"""Sums of gauges in memory: by minute, and taken once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain.metrics.gauge_sums import Gauge, GaugeSum, GaugeSums

MEMORY = Gauge("program", "host/feed", "memory_mb")
LOAD = Gauge("host", "host", "load_1m")
MINUTE_AT = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)


def test_values_of_a_minute_have_their_count_sum_and_extremes() -> None:
    sums = GaugeSums()
    for second, value in ((0, 5.0), (30, 2.5), (59.999, 9.0)):
        sums.add(MEMORY, value, MINUTE_AT + timedelta(seconds=second))

    assert [GaugeSum(MEMORY, MINUTE_AT, 3, Decimal("16.5"), Decimal("2.5"), Decimal(9))] == sums.take()


def test_the_next_minute_and_another_gauge_have_sums_of_their_own() -> None:
    sums = GaugeSums()
    sums.add(MEMORY, 5, MINUTE_AT)
    sums.add(MEMORY, 6, MINUTE_AT + timedelta(minutes=1))
    sums.add(LOAD, 7, MINUTE_AT)

    found = {(one.gauge, one.minute_at): one.total for one in sums.take()}
    assert {
        (MEMORY, MINUTE_AT): Decimal(5),
        (MEMORY, MINUTE_AT + timedelta(minutes=1)): Decimal(6),
        (LOAD, MINUTE_AT): Decimal(7),
    } == found


def test_what_is_taken_is_not_taken_again() -> None:
    sums = GaugeSums()
    sums.add(MEMORY, 5, MINUTE_AT)
    sums.take()
    assert [] == sums.take()
    sums.add(MEMORY, 0.00049, MINUTE_AT)

    assert [GaugeSum(MEMORY, MINUTE_AT, 1, Decimal(0), Decimal(0), Decimal(0))] == sums.take()
