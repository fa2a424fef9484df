"""Stores our accounts as the venue reports them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from shared.clock import machine_now
from shared.db.accounts import account_reports, accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.engine import limit_lock_wait, suppress_lock_timeout
from shared.domain.accounts.stage import Stage, parse_stage
from shared.domain.counting import count_of
from shared.domain.market_data.calendar import trading_day_at, trading_day_begins
from shared.domain.risk.account_risk import opening_balance_from
from shared.gateway.wire import VenueAccount, VenueFill
from shared.ledger.jobs.accounts import SnapshotAccounts
from workers.context import Context
from workers.task import task

_LOCK_WAIT = timedelta(seconds=0.5)  # for an account that another session locks; its next report is stored


@task(SnapshotAccounts)
def snapshot_accounts(_: SnapshotAccounts, ctx: Context) -> dict[str, int]:
    """Store every account's balance; an account that the venue no longer lists may not trade.

    A second run adds a second snapshot. Each account is a commit of its own: none waits for a lock on another.
    """
    found, stored = store_balances(ctx)
    _record_openings(ctx, {account.id for account in found})
    return {"accounts": stored}


def store_balances(ctx: Context) -> tuple[list[VenueAccount], int]:
    """Store the balance of every account as the venue reports it; return its accounts, and how many were stored."""
    asked_at = machine_now()
    found = ctx.gateway.accounts()
    market_now = ctx.market_now
    stored = 0
    for account in found:
        with suppress_lock_timeout(f"this report of account {account.id} is not stored"), ctx.transaction() as tx:
            limit_lock_wait(tx.connection, _LOCK_WAIT)
            account_reports.store(
                tx.connection,
                market_now,
                account_id=account.id,
                name=account.name,
                balance=account.balance,
                can_trade=account.can_trade,
                is_simulated=account.is_simulated,
                reported_at=asked_at,
            )
            stored += 1
    with suppress_lock_timeout("accounts that are no longer listed are marked later"), ctx.transaction() as tx:
        limit_lock_wait(tx.connection, _LOCK_WAIT)
        account_reports.mark_unlisted(tx.connection, [account.id for account in found])
    return found, stored


def _record_openings(ctx: Context, listed: Collection[int]) -> None:
    """Compute the opening balance of accounts first seen in the middle of a day from the venue's fills of the day.

    An account of unknown stage, which is never traded, is taken as it is. The
    balances are read before and after the fills: one that changed meanwhile waits for the next run.
    """
    with ctx.autocommit() as connection:
        unknown = [row for row in account_reports.list_without_opening(connection) if row.id in listed]
    if not unknown:
        return
    since = trading_day_begins(trading_day_at(ctx.market_now))
    fills = {row.id: _fetch_fills(ctx, row, since) for row in unknown}
    after = {account.id: account.balance for account in store_balances(ctx)[0]}
    for row in unknown:
        if after.get(row.id) == row.balance:
            _record_opening(ctx, row, fills[row.id])


def _record_opening(ctx: Context, row: AccountRow, fills: Sequence[VenueFill]) -> None:
    opening = opening_balance_from(row.balance, ((fill.gross_pnl, fill.fees + fill.commissions) for fill in fills))
    with suppress_lock_timeout(f"the opening balance of account {row.id} is stored later"), ctx.transaction() as tx:
        limit_lock_wait(tx.connection, _LOCK_WAIT)
        account_reports.record_opening(tx.connection, row, opening)
        if fills:
            accounts.record_event(
                tx.connection,
                row.id,
                "first_seen",
                f"in the middle of a trading day with a balance of {row.balance}; by its "
                f"{count_of(len(fills), 'fill')} of the day it opened at {opening}",
            )


def _fetch_fills(ctx: Context, row: AccountRow, since: datetime) -> list[VenueFill]:
    if parse_stage(row.name) is Stage.UNKNOWN:
        return []
    return [fill for fill in ctx.gateway.fills_since(row.id, since) if not fill.is_voided]
