"""The pre-trade check of an entry on one account, as the rows and quotes are now: preconditions, then every rule."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from shared.clock import MarketClock
from shared.config import Settings
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import describe_read_only
from shared.db.market_data import untracked
from shared.db.orders import root_state, unreconciled
from shared.db.risk import risk_snapshots
from shared.db.risk.risk_snapshots import ExitPrice, ExitPrices, RiskSnapshot
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.orders.order import OrderType, Side
from shared.domain.orders.reversal import plan_reversal
from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.account_rules import quantity_for
from shared.domain.risk.entry_figures import Figures, measure_entry
from shared.domain.risk.entry_rules import SizedEntry, check_entry_rules, only_reduces, reducible_quantity
from shared.domain.risk.findings import Finding, chicago_time
from shared.domain.risk.personal_limits import describe_reduce_only
from shared.domain.risk.preconditions import (
    Bracket,
    EntryFacts,
    EntryTerms,
    check_preconditions,
    check_session,
    measure_stop,
)
from shared.errors import OutsideCalendarError, PostponedError, RiskLimitError

_RETRY_AFTER = timedelta(seconds=0.5)
_PASSING = {"price", "unprotected"}  # a quote comes, and a guard places the stop


@dataclass(frozen=True, slots=True)
class EntryCheck:
    """The result of the pre-trade checks: the entry with its final quantity, its bracket, and each violated rule.

    `note` says why the quantity is smaller than the requested one; `figures` are those behind the verdict, None if a
    precondition denies it; `held` is the position in the contract, and
    `is_opposed` whether an order on the other side may fill next, or has filled without our knowing the fill.
    """

    entry: EntryTerms
    bracket: Bracket | None
    findings: list[Finding]
    denial: RiskLimitError | None
    held: int
    is_opposed: bool
    note: str | None = None
    figures: Figures | None = None

    @property
    def may_reverse(self) -> bool:
        """Whether the entry is a market order that an order on the other side may turn into one against a position."""
        return self.is_opposed and self.entry.type is OrderType.MARKET

    @property
    def is_reversing(self) -> bool:
        """Whether the entry is a market order against a position, of which a part or all is to be closed first."""
        return plan_reversal(self.entry.side, self.entry.type, self.entry.quantity, self.held) is not None


def check(
    connection: Connection,
    account: AccountRow,
    contract: Contract,
    entry: EntryTerms,
    *,
    settings: Settings,
    clock: MarketClock,
    exit_prices: ExitPrices,
    risk: Decimal | None = None,
) -> EntryCheck:
    """Check an entry against every rule; raise PostponedError while a fact is missing that may still arrive.

    With `risk`, in dollars, the quantity is the number of contracts whose loss at the stop it covers, rounded down.
    Of an entry beyond the position of a reduce-only account only the closing part is left.
    `exit_prices` is called once, with every contract that matters.
    """
    snapshot, facts = _read_facts(
        connection, account, contract, entry.side, settings=settings, clock=clock, exit_prices=exit_prices
    )
    return _check_facts(connection, account, entry, snapshot, facts, market_now=clock.now(), risk=risk)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an entry is not sent now: a code for scripts, which of a rule is its name, and a message."""

    code: str
    message: str


def find_obstacles(
    connection: Connection,
    account: AccountRow,
    contract: Contract,
    entry: EntryTerms,
    *,
    snapshot: RiskSnapshot | None,
    price: Decimal | None,
    is_simulated: bool,
    clock: MarketClock,
) -> list[Obstacle]:
    """Return every reason for which an entry is not sent now, denied or postponed; none if it is sent.

    These are the questions that a worker asks of the same entry. `snapshot` is that of the account, None for one of an
    unknown stage, and `price` that at which a market order of its side fills.
    """
    market_now = clock.now()
    facts = _gather_facts(account, contract, snapshot, price, is_simulated=is_simulated, market_now=market_now)
    if not facts.is_reconciled:
        facts = replace(facts, unreconciled_because=unreconciled.explain(connection))
    try:
        check_session(calendar_of(ROOTS[contract.root].group), contract, market_now, speed=clock.speed)
        found = _check_facts(connection, account, entry, snapshot, facts, market_now=market_now)
    except (PostponedError, OutsideCalendarError, RiskLimitError) as error:
        return [Obstacle(error.code, str(error))]
    if found.findings:
        return [Obstacle(finding.rule, describe_finding(finding)) for finding in found.findings]
    return [] if found.denial is None else [Obstacle(found.denial.code, str(found.denial))]


def _check_facts(
    connection: Connection,
    account: AccountRow,
    entry: EntryTerms,
    snapshot: RiskSnapshot | None,
    facts: EntryFacts,
    *,
    market_now: datetime,
    risk: Decimal | None = None,
) -> EntryCheck:
    contract = facts.contract
    held = 0 if snapshot is None else snapshot.risk.quantity_of(contract.id)
    is_opposed = snapshot is not None and (contract.id, entry.side.opposite) in snapshot.arriving
    try:
        bracket = check_preconditions(entry, facts)
    except RiskLimitError as error:
        return EntryCheck(entry, None, [], error, held, is_opposed)
    assert snapshot is not None  # noqa: S101  # an account without a stage was denied
    if risk is not None:
        entry = replace(entry, quantity=_size(risk, bracket.stop_loss_ticks, contract, snapshot))
    entry, note = _cut_to_reduce(entry, contract, snapshot.risk)
    sized = SizedEntry(contract, entry.side, entry.quantity, bracket.stop_loss_ticks)
    _require_certain_if_reducing(connection, account, sized, snapshot.risk)
    calendar = calendar_of(ROOTS[contract.root].group)
    findings = check_entry_rules(
        sized,
        snapshot.risk,
        snapshot.book,
        market_now,
        session=calendar.session_at(market_now),
        calendar=calendar,
    )
    if findings and all(finding.rule in _PASSING for finding in findings):
        message = "; ".join(finding.message for finding in findings)
        raise PostponedError(message, _RETRY_AFTER, code=findings[0].rule)
    denial = RiskLimitError("; ".join(map(describe_finding, findings))) if findings else None
    figures = measure_entry(sized, snapshot.risk, snapshot.book, facts.price)
    return EntryCheck(entry, bracket, findings, denial, held, is_opposed, note, figures)


def size_by_risk(
    connection: Connection,
    account: AccountRow,
    contract: Contract,
    entry: EntryTerms,
    risk: Decimal,
    *,
    settings: Settings,
    clock: MarketClock,
    exit_prices: ExitPrices,
) -> int:
    """Return the contracts whose loss at the stop `risk` dollars cover, rounded down, whatever the rules say of them.

    0 for an account of an unknown stage. Raise RiskLimitError without a valid stop, PostponedError without the quote
    that it is measured from.
    """
    snapshot, facts = _read_facts(
        connection, account, contract, entry.side, settings=settings, clock=clock, exit_prices=exit_prices
    )
    return 0 if snapshot is None else _size(risk, measure_stop(entry, facts), contract, snapshot)


def loss_at_stop(
    snapshot: RiskSnapshot,
    contract: Contract,
    entry: EntryTerms,
    *,
    quantity: int,
    price: Decimal,
    market_now: datetime,
) -> Decimal:
    """Return the dollars that so many contracts of an entry lose at its stop, fees included; `price` is by the quote.

    Raise RiskLimitError without a valid stop.
    """
    facts = _gather_facts(snapshot.account, contract, snapshot, price, is_simulated=True, market_now=market_now)
    loss = measure_stop(entry, facts) * contract.tick_value * quantity
    return loss + snapshot.book.costs_of(contract.root, quantity)


def _size(risk: Decimal, stop_ticks: int, contract: Contract, snapshot: RiskSnapshot) -> int:
    return quantity_for(risk, stop_ticks, contract.tick_value, snapshot.book.costs_of(contract.root, 1))


def _read_facts(
    connection: Connection,
    account: AccountRow,
    contract: Contract,
    side: Side,
    *,
    settings: Settings,
    clock: MarketClock,
    exit_prices: ExitPrices,
) -> tuple[RiskSnapshot | None, EntryFacts]:
    known: list[ExitPrice] = []

    def read_exit_prices(held: set[str]) -> ExitPrice:
        known.append(exit_prices(held | {contract.id}))
        return known[0]

    snapshot = risk_snapshots.read(
        connection, [account], clock, read_exit_prices, max_quantity=settings.max_quantity
    ).get(account.id)
    # The price at which the opposite position closes is that at which this one opens.
    price = known[0](contract.id, -side.sign)
    is_simulated = settings.venue.is_simulator
    facts = _gather_facts(account, contract, snapshot, price, is_simulated=is_simulated, market_now=clock.now())
    if price is None:
        facts = replace(facts, untracked=untracked.explain(connection, contract.root, settings.contracts))
    if not facts.is_reconciled:
        facts = replace(facts, unreconciled_because=unreconciled.explain(connection))
    return snapshot, facts


def _require_certain_if_reducing(
    connection: Connection, account: AccountRow, entry: SizedEntry, risk: AccountRisk
) -> None:
    """Raise PostponedError while an order may have changed the position that lets an entry pass, as it only reduces."""
    if not only_reduces(entry, risk):
        return
    contract = entry.contract
    if root_state.read(connection, account.id, ROOTS[contract.root]).is_uncertain(contract.id):
        message = f"an order in {contract.id} is not confirmed, so the position is not known"
        raise PostponedError(message, _RETRY_AFTER, code="order_not_confirmed")


def _cut_to_reduce(entry: EntryTerms, contract: Contract, risk: AccountRisk) -> tuple[EntryTerms, str | None]:
    """Return the closing part of a reversal on a reduce-only account, and what is denied; else the entry as it is."""
    most = reducible_quantity(contract.id, entry.side, risk)
    if risk.reduce_only_reason is None or not 0 < most < entry.quantity:
        return entry, None
    note = f"only {most} of {entry.quantity} is entered, which closes; the rest is denied: "
    return replace(entry, quantity=most), note + describe_reduce_only(risk.reduce_only_reason)


def describe_finding(finding: Finding) -> str:
    """Return the rule's message, and the time at which it no longer applies, if there is one."""
    lifts = finding.lifts_market_at
    return finding.message if lifts is None else f"{finding.message} (lifts {chicago_time(lifts)})"


def _gather_facts(
    account: AccountRow,
    contract: Contract,
    snapshot: RiskSnapshot | None,
    price: Decimal | None,
    *,
    is_simulated: bool,
    market_now: datetime,
) -> EntryFacts:
    flatten_requests = dict(snapshot.flatten_requests) if snapshot else {}
    halt = account.halt
    if halt is None and "" in flatten_requests:
        halt = f"it is being flattened: {flatten_requests['']}"
    return EntryFacts(
        account_id=account.id,
        account_name=account.name,
        may_trade=account.can_trade,
        is_live=is_simulated or account.live_orders or account.is_shadow,
        halt_reason=halt,
        read_only_reason=describe_read_only(account, market_now),
        is_reconciled=account.reconciled_at is not None,
        has_in_doubt_order=snapshot is None or snapshot.has_in_doubt_order,
        is_being_flattened=contract.id in flatten_requests,
        contract=contract,
        price=price,
        default_stop_ticks=account.default_stop_ticks,
    )
