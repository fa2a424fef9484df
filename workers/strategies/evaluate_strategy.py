"""Evaluates one strategy on one contract's closed bars for one account, and submits the entry that it decides on."""

import traceback
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from sqlalchemy import Connection

from shared.clock import machine_now, monotonic
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.engine import DATABASE_ERRORS
from shared.db.market_data import contracts
from shared.db.orders import orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.db.strategies import strategy_accounts, strategy_runs
from shared.db.strategies.strategy_runs import BarsUse
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.product_family import family_of
from shared.domain.market_data.rollup import newest_close
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.orders.order import OrderType, Origin, Role, direction_of
from shared.domain.risk.preconditions import EntryTerms
from shared.domain.strategies.decision import Decision, Enter
from shared.domain.strategies.strategy import Strategy
from shared.domain.strategies.strategy_error import StrategyError
from shared.domain.strategies.view import AccountFacts, OrderFacts, PositionFacts, View
from shared.errors import MarketClosedError, OutsideCalendarError, PostponedError
from shared.ledger.jobs.orders import PlaceOrder
from shared.ledger.jobs.strategies import EvaluateStrategy
from shared.ledger.ledger import Transaction
from strategies.registry import strategy_named
from workers.context import Context
from workers.orders.approval import AwaitedApproval
from workers.orders.entry import is_flat, record_entry, require_open_session
from workers.orders.entry_request import EntryRequest
from workers.strategies.read_bars import EvaluationBars
from workers.task import task

QUANTITY = 1
_NO_ACCOUNT = "no account trades it: `tickwork strategies on` assigns one"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The decision of the strategy, and the reason why it was or was not traded."""

    decision: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Decided:
    """What a strategy has decided, and why; and its contract and account, None when that does not trade it now."""

    decision: Decision | None
    reason: str
    contract: Contract
    account: AccountRow | None
    bars_use: BarsUse


@task(EvaluateStrategy)
def evaluate_strategy(job: EvaluateStrategy, ctx: Context) -> Evaluated:
    """Decide once per strategy, contract, bar and account: the stored row of a run makes a second run do nothing.

    While the venue is yet to say a second time that minutes had no trade, it waits for that. What a strategy raises is
    the reason of its run, and stops no other.
    """
    started = monotonic()
    strategy = strategy_named(job.strategy)()
    with ctx.autocommit() as connection:
        if strategy_runs.is_done(connection, job.strategy, job.contract_id, job.closed_until, job.account_id):
            return Evaluated("none", "evaluated before")
        decided = _decide(connection, ctx, job, strategy)
    decision = decided.decision
    obstacle = None if decision is None else _find_obstacle(job, ctx, strategy, decided)
    if isinstance(decision, Enter) and decided.account is not None and obstacle is None:
        with ctx.transaction() as tx:
            request = _build_request(job, ctx, decided.contract, decided.account, decision)
            evaluated, signal_id = _trade(tx, ctx, job, request)
            _store(tx.connection, job, evaluated, decided.bars_use, started=started, signal_id=signal_id)
    else:
        if decision is not None and obstacle is None and not isinstance(decision, Enter):
            obstacle = f"{type(decision).__name__} is only backtested yet"
        reason = decided.reason if obstacle is None else _explain_not_traded(decided.reason, obstacle)
        evaluated = Evaluated(decision.side if isinstance(decision, Enter) else "none", reason)
        with ctx.transaction() as tx:
            _store(tx.connection, job, evaluated, decided.bars_use, started=started)
    return evaluated


def _decide(connection: Connection, ctx: Context, job: EvaluateStrategy, strategy: Strategy) -> _Decided:
    contract = contracts.require(connection, job.contract_id)
    trading = strategy_accounts.list_trading(connection, job.strategy)
    account = next((one for one in trading if one.id == job.account_id), None)
    bars = EvaluationBars(connection, ctx, contract, job.closed_until)
    decision, reason = _ask(strategy, bars, _build_view(connection, job, strategy, bars, account))
    return _Decided(decision, reason, contract, account, bars.use)


def _ask(strategy: Strategy, bars: EvaluationBars, view: View) -> tuple[Decision | None, str]:
    """Return the decision of a strategy and its reason; what it raises is the reason for none."""
    try:
        if not bars.has_traded(view.timeframe):
            return None, "nothing was traded in the bar"
        decision = strategy.decide(view)
        if decision is not None and not isinstance(decision, Decision):
            return None, f"it returned {decision!r}, which is no decision"  # type: ignore[unreachable]
    except (PostponedError, *DATABASE_ERRORS):
        raise  # the strategy has no part in it, and the job is tried again
    except StrategyError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001  # whatever a strategy raises, it stops no other
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return None, f"it failed in line {frame.lineno} of {frame.filename}: {type(error).__name__}: {error}"
    if decision is None:
        return None, f"no entry; position {direction_of(view.position.quantity)}"
    return decision, decision.reason


def _build_view(
    connection: Connection, job: EvaluateStrategy, strategy: Strategy, bars: EvaluationBars, account: AccountRow | None
) -> View:
    contract = bars.contract
    calendar = assumed_calendar_of(ROOTS[contract.root].group)
    held, working = PositionFacts(), []
    if account is not None:
        found = positions.find_held(connection, account.id, contract.id)
        if found is not None:
            held = _to_position(found.row, contract)
        working = orders.list_open_in_contract(connection, account.id, contract.id)
    return View(
        now=job.closed_until,
        contract=contract,
        timeframe=Timeframe.parse(strategy.timeframe),
        session=calendar.session_at(job.closed_until) or calendar.next_session(job.closed_until),
        position=held,
        orders=tuple(_to_facts(one, contract) for one in working if one.role is not Role.OTHER),
        account=AccountFacts(balance=None if account is None else account.balance),
        read_bars=bars.read,
        read_since=bars.read_since,
    )


def _to_position(row: PositionRow, contract: Contract) -> PositionFacts:
    average = None if row.average_price is None else Fraction(row.average_price) / Fraction(contract.tick_size)
    return PositionFacts(row.quantity, average, row.opened_market_at)


def _to_facts(order: OrderRow, contract: Contract) -> OrderFacts:
    price = order.stop_price if order.stop_price is not None else order.limit_price
    ticks = 0 if price is None else int(price / contract.tick_size)
    return OrderFacts(order.role, order.side, order.type, ticks, order.quantity - order.filled_quantity)


def _find_obstacle(job: EvaluateStrategy, ctx: Context, strategy: Strategy, decided: _Decided) -> str | None:
    calendar = assumed_calendar_of(ROOTS[decided.contract.root].group)
    if newest_close(ctx.market_now, Timeframe.parse(strategy.timeframe), calendar) > job.closed_until:
        return "a newer bar has closed since"
    if decided.account is None:
        return _NO_ACCOUNT if job.account_id is None else _no_longer_assigned(job)
    try:
        require_open_session(ctx, decided.contract)
    except (MarketClosedError, OutsideCalendarError) as error:
        return str(error)
    return None


def _build_request(
    job: EvaluateStrategy, ctx: Context, contract: Contract, account: AccountRow, decision: Enter
) -> EntryRequest:
    price = None if decision.price is None else decision.price * contract.tick_size
    entry = EntryTerms(
        side=decision.side,
        quantity=0 if decision.risk is not None else decision.quantity or QUANTITY,
        type=decision.type,
        limit_price=price if decision.type is OrderType.LIMIT else None,
        stop_price=price if decision.type is OrderType.STOP else None,
        stop_loss_ticks=decision.stop_loss_ticks,
        take_profit_ticks=decision.take_profit_ticks,
    )
    return EntryRequest(
        account.id,
        contract,
        entry,
        Origin.STRATEGY,
        expires_at=machine_now() + ctx.settings.entry_ttl,
        strategy=job.strategy,
        reason=decision.reason,
        risk=decision.risk,
    )


def _trade(
    tx: Transaction, ctx: Context, job: EvaluateStrategy, request: EntryRequest
) -> tuple[Evaluated, UUID | None]:
    side, reason = request.entry.side, request.reason or ""
    # The lock comes before the checks, so that no other entry comes in between. `record_entry` then locks at once.
    accounts.lock_to_enter(tx.connection, request.account_id, family_of(request.contract.root))
    if request.account_id not in {one.id for one in strategy_accounts.list_trading(tx.connection, job.strategy)}:
        return Evaluated(side, _explain_not_traded(reason, _no_longer_assigned(job))), None
    if not is_flat(tx.connection, request.account_id, job.contract_id):
        return Evaluated(side, _explain_not_traded(reason, "the account is no longer flat")), None
    recorded = record_entry(tx, ctx, request)
    if isinstance(recorded, AwaitedApproval):
        return Evaluated(side, _explain_not_traded(reason, recorded.text)), None
    if recorded.obstacle is not None:
        return Evaluated(side, _explain_not_traded(reason, recorded.obstacle)), recorded.signal_id
    tx.enqueue(PlaceOrder(order_id=recorded.order.id))  # behind no alert: those received later wait for it
    return Evaluated(side, reason), recorded.signal_id


def _no_longer_assigned(job: EvaluateStrategy) -> str:
    return f"account {job.account_id} trades {job.strategy} no longer"


def _explain_not_traded(reason: str, obstacle: str | None) -> str:
    return f"{reason}; not traded: {obstacle}"


def _store(
    connection: Connection,
    job: EvaluateStrategy,
    evaluated: Evaluated,
    bars_use: BarsUse,
    *,
    started: float,
    signal_id: UUID | None = None,
) -> None:
    strategy_runs.store(
        connection,
        job.strategy,
        job.contract_id,
        job.closed_until,
        job.account_id,
        decision=evaluated.decision,
        reason=evaluated.reason,
        signal_id=signal_id,
        duration_ms=_milliseconds_since(started),
        bars_use=bars_use,
    )


def _milliseconds_since(started: float) -> Decimal:
    return Decimal(f"{(monotonic() - started) * 1000:.3f}")
