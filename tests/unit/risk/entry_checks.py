"""An entry, a rule book and the checks of both, for the tests of the entry rules."""

from datetime import datetime

from shared.domain.market_data.calendar import calendar_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.account_rules import Finding, RuleAction
from shared.domain.risk.entry_rules import SizedEntry, check_entry_rules
from shared.domain.risk.rule_book import RuleBook
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import COMBINE, NOON, contract, risk

BUY = SizedEntry(contract("MNQ"), Side.BUY, 1, 40)
BOOK = with_changes(COMBINE, {"max_quantity": "100"})


def violations_of(
    entry: SizedEntry = BUY,
    now: AccountRisk | None = None,
    book: RuleBook = BOOK,
    at: datetime = NOON,
    group: str = "equity",
) -> list[Finding]:
    calendar = calendar_of(group)
    return check_entry_rules(entry, now or risk(), book, at, session=calendar.session_at(at), calendar=calendar)


def only_finding(findings: list[Finding]) -> Finding:
    (finding,) = findings
    assert RuleAction.BLOCK <= finding.action
    return finding


def rule_and_lift(findings: list[Finding]) -> tuple[str, datetime | None]:
    finding = only_finding(findings)
    return finding.rule, finding.lifts_market_at
