"""Turns a wish to enter into an intent: risk, signal and order in one transaction that holds the account's row."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from shared.db import accounts, bars, orders, positions, signals
from shared.db.accounts import AccountRow
from shared.domain.bar import MINUTE
from shared.domain.calendar import calendar_of
from shared.domain.contract import ROOTS, Contract
from shared.domain.order import Direction, Origin, Role
from shared.domain.risk import Entry, Facts, check_entry, check_session
from shared.errors import RefusedError, RiskLimitError
from shared.ids import new_id
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.market_data.closed_minute import closed_minute
from workers.market_data.fetch_contract_bars import store_missing


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wishes which entry; `alert_id` or `strategy` says where it comes from."""

    account_id: int
    contract: Contract
    entry: Entry
    origin: Origin
    expires_at: datetime | None
    alert_id: UUID | None = None
    strategy: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """The order row that the wish became, and why risk refused it, if it did."""

    order_id: UUID
    signal_id: UUID
    refusal: RiskLimitError | None


def get_ready(ctx: Context, contract: Contract) -> None:
    """Check that the firm takes entries now, and fetch the newest bar if ours has aged; no transaction is held."""
    check_session(calendar_of(ROOTS[contract.root].group), contract, ctx.market_now, speed=ctx.clock.speed)
    newest_close = closed_minute(ctx.market_now)
    with ctx.ledger.engine.connect() as connection:
        newest = bars.newest(connection, contract.id, ctx.market_now)
    if newest is None or newest.start + MINUTE < newest_close:
        store_missing(ctx, contract, newest_close)


def intend(tx: Transaction, ctx: Context, wish: Wish) -> Intent:
    """Judge the wish and write its signal and order; a refused one is written too, and nobody may send it.

    Raise PostponedError, with nothing written, while a fact is missing that may still come.
    """
    account = accounts.lock(tx.connection, wish.account_id)
    if account is None:
        raise RefusedError(f"account {wish.account_id} is unknown: accounts.snapshot_accounts has not met it")
    refusal, bracket = None, None
    try:
        bracket = check_entry(wish.entry, _facts(tx.connection, ctx, account, wish.contract), ctx.market_now)
    except RiskLimitError as error:
        refusal = error
    reason = wish.reason if refusal is None else str(refusal)
    signal_id = signals.store(
        tx.connection,
        origin=wish.origin,
        account_id=account.id,
        contract_id=wish.contract.id,
        action=wish.entry.side,
        quantity=wish.entry.quantity,
        verdict="accepted" if refusal is None else "refused",
        reason=reason,
        correlation_id=ctx.job.correlation_id,
        decided_market_at=ctx.market_now,
        alert_id=wish.alert_id,
        strategy=wish.strategy,
    )
    order_id = new_id()
    orders.intend(
        tx.connection,
        order_id=order_id,
        account_id=account.id,
        contract_id=wish.contract.id,
        client_order_id=f"tw-{order_id.hex}" if refusal is None else None,
        signal_id=signal_id,
        origin=wish.origin,
        side=wish.entry.side,
        quantity=wish.entry.quantity,
        stop_loss_ticks=bracket.stop_loss_ticks if bracket else wish.entry.stop_loss_ticks,
        take_profit_ticks=bracket.take_profit_ticks if bracket else wish.entry.take_profit_ticks,
        expires_at=wish.expires_at,
        correlation_id=ctx.job.correlation_id,
        refusal=None if refusal is None else str(refusal),
    )
    return Intent(order_id, signal_id, refusal)


def is_flat(connection: Connection, account_id: int, contract_id: str) -> bool:
    """Whether the account holds nothing of the contract and no entry in it is under way."""
    return positions.direction_of(connection, account_id, contract_id) is Direction.FLAT and not any(
        order.role is Role.ENTRY and order.contract_id == contract_id
        for order in orders.open_of(connection, account_id)
    )


def _facts(connection: Connection, ctx: Context, account: AccountRow, contract: Contract) -> Facts:
    return Facts(
        account_name=account.name,
        may_trade=account.can_trade,
        halt_reason=None if account.halted_at is None else account.halt_reason or "no reason was kept",
        is_reconciled=account.reconciled_at is not None,
        has_unknown_order=orders.has_unknown(connection, account.id),
        contract=contract,
        newest_bar=bars.newest(connection, contract.id, ctx.market_now),
        max_quantity=ctx.settings.max_quantity,
    )
