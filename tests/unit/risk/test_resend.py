"""What forbids to send an entry again that the venue never received, and entries beside a position without a stop."""

from dataclasses import replace

import pytest

from shared.domain.market_data.calendar import calendar_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk, OpenEntry
from shared.domain.risk.entry_rules import check_resend
from tests.fixtures.account_risks import NOON, chicago, held, risk, rules_of
from tests.fixtures.entry_rules import BOOK, BUY, only_finding, violations_of

SENT = OpenEntry("CON.F.US.MNQ.Z26", "MNQ", Side.BUY, 1)


def resend_findings(now: AccountRisk, at: str = "2026-11-24T12:00") -> list[str]:
    counted = replace(now, open_entries=(SENT,))
    return rules_of(check_resend(BUY, counted, BOOK, chicago(at), calendar=calendar_of("equity")))


def test_an_entry_that_nothing_forbids_is_sent_again_although_it_is_counted_already() -> None:
    assert [] == resend_findings(risk())
    assert [] == resend_findings(replace(risk(), trade_count_today=1_000, order_count_last_minute=1_000))


def test_a_loss_limit_or_the_hour_forbids_it() -> None:
    assert ["daily_loss_limit"] == resend_findings(replace(risk(), is_day_locked=True))
    assert ["last_entry"] == resend_findings(risk(), "2026-11-24T15:09:45")
    assert ["session"] == resend_findings(risk(), "2026-11-24T16:30")


def test_one_that_only_makes_a_position_smaller_is_sent_again_whatever_is_lost() -> None:
    short = replace(risk(), is_day_locked=True, holdings=(held("MNQ", -2),))
    assert [] == resend_findings(short)


@pytest.mark.parametrize(("unprotected", "is_allowed"), [(0, True), (1, False)])
def test_an_entry_beside_a_contract_without_a_stop_is_forbidden(unprotected: int, is_allowed: bool) -> None:  # noqa: FBT001
    now = replace(risk(), holdings=(replace(held("MNQ", 1), unprotected=unprotected),))
    found = violations_of(now=now, at=NOON)

    assert is_allowed == (found == [])
    assert is_allowed or "unprotected" == only_finding(found).rule
