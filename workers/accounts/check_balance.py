"""Finds out why a balance has moved: fills that were not recorded, products that we do not know, or the firm."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from shared.db.accounts import accounts, balance_moves
from shared.db.accounts.accounts import AccountRow
from shared.db.orders import fills
from shared.domain.counting import count_of
from shared.domain.risk.findings import dollars
from shared.gateway.wire import VenueFill
from shared.ledger.jobs.accounts import CheckBalance
from workers.context import Context
from workers.orders import venue_state
from workers.task import task

_LONGEST = timedelta(days=4)  # a balance that moved while nothing watched, as over a weekend


@task(CheckBalance)
def check_balance(job: CheckBalance, ctx: Context) -> dict[str, str]:
    """Record the fills of the venue that we lack; without one, the firm has moved what is unexplained of the balance.

    A fill of a product that we do not know may explain it, so then it counts as a result. A second run, or an amount
    that has changed since, does nothing.
    """
    with ctx.autocommit() as connection:
        account = accounts.get(connection, job.account_id)
    if account is None or account.pending_balance != job.pending_balance or account.first_seen_at is None:
        return {"balance": "has changed since"}
    since = max(ctx.clock.to_market(account.first_seen_at), ctx.market_now - _LONGEST)
    missing = _find_missing(ctx, account.id, since)
    with ctx.transaction() as tx:
        venue_state.apply_fills(tx, account.id, missing)
        known = venue_state.known_contracts(tx.connection, account.id, {fill.contract_id for fill in missing})
    if known:
        return {"balance": f"{count_of(len(missing), 'fill')} recorded late"}
    with ctx.transaction() as tx:
        result = settle_balance(tx.connection, job, missing)
        tx.finish(result)
    return result


def _find_missing(ctx: Context, account_id: int, since: datetime) -> list[VenueFill]:
    """Return the venue's fills that our rows lack, or hold as void while they are not, or the other way round."""
    shown = ctx.gateway.fills_since(account_id, since)
    with ctx.autocommit() as connection:
        voided = fills.read_voided(connection, account_id, [fill.id for fill in shown])
    return [fill for fill in shown if voided.get(fill.id, True) != fill.is_voided]


def settle_balance(connection: Connection, job: CheckBalance, unknown: Sequence[VenueFill]) -> dict[str, str]:
    """Record the amount that the job asked about: as a result if `unknown` fills may explain it, else as a move."""
    account = accounts.lock(connection, job.account_id)
    if account is None or account.pending_balance != job.pending_balance or account.trading_day is None:
        return {"balance": "has changed since"}
    amount = job.pending_balance - (account.unexplained_balance or Decimal(0))
    if unknown:
        return _count_as_result(connection, account, amount, unknown)
    values = balance_moves.change_by_move(account, amount, account.trading_day)
    balance_moves.record(connection, account, amount, day=account.trading_day, origin="found", values=values)
    return {"moved": str(amount)}


def _count_as_result(
    connection: Connection, account: AccountRow, amount: Decimal, unknown: Sequence[VenueFill]
) -> dict[str, str]:
    products = ", ".join(sorted({fill.contract_id for fill in unknown}))
    accounts.change(
        connection,
        account.id,
        unexplained_balance=account.pending_balance,
        pending_balance=None,
        pending_runs=0,
    )
    told = (
        f"{dollars(amount)} that fills of {products} may explain, products that we do not know: it counts as a result "
        f"of the day; if it was a payout or a deposit, `tickwork accounts balance-move {account.id} AMOUNT`"
    )
    accounts.record_event(connection, account.id, "balance_unexplained", told)
    return {"result": str(amount)}
