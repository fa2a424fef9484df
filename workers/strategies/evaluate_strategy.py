"""Evaluates one strategy on one contract's closed bars for one account, and submits the entry that it decides on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection

from shared.bars.bar_reader import BarsRead
from shared.clock import machine_now, monotonic
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import bar_coverage, contracts
from shared.db.orders import positions
from shared.db.strategies import strategy_accounts, strategy_runs
from shared.db.strategies.strategy_runs import BarsUse
from shared.domain.counting import count_of
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, intersect, subtract, unite
from shared.domain.market_data.product_family import family_of
from shared.domain.market_data.rollup import end_of, newest_close
from shared.domain.orders.order import Direction, Origin
from shared.domain.risk.preconditions import EntryTerms
from shared.domain.strategies.decision import Decision
from shared.errors import MarketClosedError, OutsideCalendarError, PostponedError
from shared.ledger.jobs.orders import PlaceOrder
from shared.ledger.jobs.strategies import EvaluateStrategy
from shared.ledger.ledger import Transaction
from strategies.registry import strategy_named
from workers.context import Context
from workers.orders.approval import AwaitedApproval
from workers.orders.entry import is_flat, record_entry, require_open_session
from workers.orders.entry_request import EntryRequest
from workers.task import task

QUANTITY = 1
_JUST_CLOSED = timedelta(minutes=5)  # by then two answers have shown that a minute had no trade
_ANSWERED_WITHIN = timedelta(minutes=10)  # the fetches of the next minutes ask again
_ASK_AFTER = timedelta(seconds=10)
_NO_ACCOUNT = "no account trades it: `tickwork strategies on` assigns one"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The decision of the strategy, and the reason why it was or was not traded."""

    decision: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The bars and position that a strategy decides on, and its account; None when that does not trade it now."""

    contract: Contract
    bars: list[Bar]
    bars_use: BarsUse
    missing: timedelta  # of its bars
    account: AccountRow | None
    direction: Direction


@task(EvaluateStrategy)
def evaluate_strategy(job: EvaluateStrategy, ctx: Context) -> Evaluated:
    """Decide once per strategy, contract, bar and account: the stored row of a run makes a second run do nothing.

    While the venue is yet to say a second time that minutes had no trade, it waits for that.
    """
    started = monotonic()
    with ctx.autocommit() as connection:
        if strategy_runs.is_done(connection, job.strategy, job.contract_id, job.closed_until, job.account_id):
            return Evaluated("none", "evaluated before")
        inputs = _read_inputs(connection, ctx, job)
    decision, reason = _decide(job, inputs)
    obstacle = _find_obstacle(job, ctx, inputs) if decision else None
    if decision is not None and inputs.account is not None and obstacle is None:
        with ctx.transaction() as tx:
            evaluated, signal_id = _trade(
                tx, ctx, job, _build_request(job, ctx, inputs.contract, inputs.account, decision)
            )
            _store(tx.connection, job, evaluated, inputs.bars_use, started=started, signal_id=signal_id)
    else:
        evaluated = (
            Evaluated(decision.side, _explain_not_traded(reason, obstacle)) if decision else Evaluated("none", reason)
        )
        with ctx.transaction() as tx:
            _store(tx.connection, job, evaluated, inputs.bars_use, started=started)
    return evaluated


def _read_inputs(connection: Connection, ctx: Context, job: EvaluateStrategy) -> _Inputs:
    strategy = strategy_named(job.strategy)
    contract = contracts.require(connection, job.contract_id)
    started = monotonic()
    read = ctx.bars.read(connection, contract, strategy.timeframe, job.closed_until, count=strategy.bars_needed)
    held = read.bars.to_bars()
    _require_second_answer(connection, ctx, job, held, read)
    bars_use = BarsUse(read.source, _milliseconds_since(started), sum(gap.duration // MINUTE for gap in read.gaps))
    trading = strategy_accounts.list_trading(connection, job.strategy)
    account = next((one for one in trading if one.id == job.account_id), None)
    return _Inputs(
        contract,
        held,
        bars_use,
        _sum_missing(held, read, job.closed_until),
        account,
        positions.direction_of(connection, account.id, contract.id) if account else Direction.FLAT,
    )


def _require_second_answer(
    connection: Connection, ctx: Context, job: EvaluateStrategy, held: list[Bar], read: BarsRead
) -> None:
    """Raise PostponedError if one answer had no bar of all that is missing, as after an hour without a trade."""
    gaps = intersect(read.gaps, [Span(held[0].start, job.closed_until - _JUST_CLOSED)]) if held else ()
    if not gaps or ctx.market_now - job.closed_until > _ANSWERED_WITHIN:
        return
    if not subtract(gaps, bar_coverage.read(connection, job.contract_id).unconfirmed):
        raise PostponedError(f"the venue has said once that {job.contract_id} had no trade for minutes", _ASK_AFTER)


def _sum_missing(bars: list[Bar], read: BarsRead, closed_until: datetime) -> timedelta:
    """Return how much of the time since the first bar is missing, but for minutes that may just have had no trade.

    One of which the venue has sent what cannot be a bar had a trade.
    """
    first = bars[0].start if bars else closed_until
    unanswered = intersect(read.gaps, [Span(first, closed_until - _JUST_CLOSED)])
    spoilt = intersect(read.set_aside, [Span(first, closed_until)])
    return sum((gap.duration for gap in unite(unanswered, spoilt)), timedelta(0))


def _decide(job: EvaluateStrategy, inputs: _Inputs) -> tuple[Decision | None, str]:
    strategy = strategy_named(job.strategy)
    calendar = assumed_calendar_of(ROOTS[inputs.contract.root].group)
    bars = inputs.bars
    if not bars or end_of(bars[-1].start, strategy.timeframe, calendar) != job.closed_until:
        return None, "nothing was traded in the bar"
    if inputs.missing:
        minutes = inputs.missing // MINUTE
        return None, f"{count_of(minutes, 'minute')} of its bars {'is' if minutes == 1 else 'are'} missing"
    if len(bars) < strategy.bars_needed:
        return None, f"it has {count_of(len(bars), 'bar')} of the {strategy.bars_needed} that it needs"
    decision = strategy.decide(bars, inputs.direction)
    return decision, decision.reason if decision else f"no entry; position {inputs.direction}"


def _find_obstacle(job: EvaluateStrategy, ctx: Context, inputs: _Inputs) -> str | None:
    calendar = assumed_calendar_of(ROOTS[inputs.contract.root].group)
    if newest_close(ctx.market_now, strategy_named(job.strategy).timeframe, calendar) > job.closed_until:
        return "a newer bar has closed since"
    if inputs.account is None:
        return _NO_ACCOUNT if job.account_id is None else _no_longer_assigned(job)
    try:
        require_open_session(ctx, inputs.contract)
    except (MarketClosedError, OutsideCalendarError) as error:
        return str(error)
    return None


def _build_request(
    job: EvaluateStrategy, ctx: Context, contract: Contract, account: AccountRow, decision: Decision
) -> EntryRequest:
    entry = EntryTerms(
        side=decision.side,
        quantity=QUANTITY,
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
