"""The words for a gap of the watch: how long, and what the account held without being watched."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk, Holding, OpenEntry
from shared.domain.risk.watch_gap import describe_duration, describe_gap, describe_held

FLAT = AccountRisk(balance=None, day_opening_balance=None, high_water_mark=None)
LONG = Holding("CON.F.US.MNQ.Z26", "MNQ", 2, Decimal(21_000), None)
ENTRY = OpenEntry("CON.F.US.MES.Z26", "MES", Side.SELL, 1)
BOTH = "a working sell of 1 MES and a working buy of 1 MES"
SINCE = datetime(2026, 11, 29, 14, 2, 11, tzinfo=UTC)
UNTIL = datetime(2026, 11, 29, 14, 31, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("risk", "held"),
    [
        (FLAT, None),
        (replace(FLAT, holdings=(LONG,)), "2 MNQ long: the stops at the venue stood"),
        (
            replace(FLAT, holdings=(replace(LONG, quantity=-2, unprotected=1),)),
            "2 MNQ short: 1 of it had no stop at the venue",
        ),
        (
            replace(FLAT, open_entries=(ENTRY,)),
            "a working sell of 1 MES: the venue may have filled the entry",
        ),
        (
            replace(FLAT, holdings=(LONG,), open_entries=(ENTRY, replace(ENTRY, side=Side.BUY))),
            f"2 MNQ long and {BOTH}: the stops at the venue stood, and the venue may have filled entries",
        ),
    ],
)
def test_what_an_account_holds_is_told_with_what_protects_it(risk: AccountRisk, held: str | None) -> None:
    assert held == describe_held(risk)


def test_a_gap_is_told_with_its_times_and_what_was_held_then_or_else_is_held_now() -> None:
    span = "not watched from 14:02:11 to 14:31:40 UTC (29 min)"

    assert f"{span} while it held 2 MNQ long" == describe_gap(SINCE, UNTIL, "2 MNQ long", None)
    assert f"{span}, and it holds 2 MNQ long" == describe_gap(SINCE, UNTIL, None, "2 MNQ long")
    assert describe_gap(SINCE, UNTIL, None, None) is None
    over_midnight = describe_gap(SINCE, UNTIL + timedelta(days=3), "2 MNQ long", None)
    assert "from 2026-11-29 14:02:11 to 2026-12-02 14:31:40 UTC (3 d 0 h)" in (over_midnight or "")


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=31.5), "31 s"),
        (timedelta(minutes=29, seconds=29), "29 min"),
        (timedelta(hours=5, minutes=10), "5 h 10 min"),
        (timedelta(days=3, hours=4), "3 d 4 h"),
    ],
)
def test_a_duration_has_two_units_at_most(duration: timedelta, text: str) -> None:
    assert text == describe_duration(duration)
