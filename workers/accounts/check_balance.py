"""Finds out why a balance has moved: fills that were not recorded, fills that may explain it, or the firm."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.db.accounts import accounts, balance_moves
from shared.db.accounts.accounts import AccountRow
from shared.db.orders import fills
from shared.db.orders.fills import StoredFill
from shared.domain.counting import count_of
from shared.domain.market_data.calendar import trading_day_at, trading_day_begins
from shared.domain.risk.findings import dollars
from shared.gateway.wire import VenueFill
from shared.ledger.jobs.accounts import CheckBalance
from workers.accounts.snapshot_accounts import store_balances
from workers.context import Context
from workers.orders import venue_state
from workers.task import task

_VOIDED_WITHIN = timedelta(days=4)  # the venue may void a fill days later, and no row says when
_MARGIN = timedelta(minutes=1)  # between the fills and the reports of a balance


@task(CheckBalance)
def check_balance(job: CheckBalance, ctx: Context) -> dict[str, str]:
    """Record what the venue knows of fills and we do not; what none of them explains of a balance, the firm has moved.

    The balance is asked for as well: if it is another one, the watch compares it with the books before anything moved.
    It counts as a result of the day while a fill may explain it that is no result of the day: see `may_explain`. A
    second run, or an amount that has changed since, does nothing.
    """
    with ctx.autocommit() as connection:
        account = accounts.get(connection, job.account_id)
    day = trading_day_at(ctx.market_now)
    if account is None or account.first_seen_at is None or not job.concerns(account.pending_balance):
        return {"balance": "has changed since"}
    began = trading_day_begins(day)
    unsettled_at = account.unsettled_since_at
    moved_after = began if unsettled_at is None else min(began, ctx.clock.to_market(unsettled_at) - _MARGIN)
    since = max(ctx.clock.to_market(account.first_seen_at), min(moved_after, ctx.market_now - _VOIDED_WITHIN))
    shown = ctx.gateway.fills_since(account.id, since)
    if recorded := _record_missing(ctx, account.id, shown):
        return {"balance": f"{count_of(recorded, 'fill')} recorded late"}
    listed, _ = store_balances(ctx)  # the report of a balance may come long after its fill, or be lost
    if any(one.id == account.id and one.balance != account.balance for one in listed):
        return {"balance": "is another one by now"}
    with ctx.transaction() as tx:
        known = venue_state.known_contracts(tx.connection, account.id, {fill.contract_id for fill in shown})
        others = [one for one in shown if may_explain(one, moved_after, began, is_known=one.contract_id in known)]
        result = settle_balance(tx.connection, job, others, ctx.market_now)
        tx.finish(result)
    return result


def _record_missing(ctx: Context, account_id: int, shown: Sequence[VenueFill]) -> int:
    """Record the fills of known products that our rows lack or have otherwise; return how many that are.

    After as many runs the watch asks again.
    """
    with ctx.transaction() as tx:
        stored = fills.read_stored(tx.connection, account_id, [fill.id for fill in shown])
        missing = [fill for fill in shown if _is_news(stored.get(fill.id), fill)]
        known = venue_state.known_contracts(tx.connection, account_id, {fill.contract_id for fill in missing})
        missing = [fill for fill in missing if fill.contract_id in known]
        venue_state.apply_fills(tx, account_id, missing)
    if missing:
        with ctx.transaction() as tx:
            accounts.lock(tx.connection, account_id)
            accounts.change(tx.connection, account_id, pending_runs=0)
    return len(missing)


def _is_news(stored: StoredFill | None, shown: VenueFill) -> bool:
    """Whether to store a fill would change anything; a new one that is void tells nothing."""
    if stored is None:
        return not shown.is_voided
    has_other_result = shown.gross_pnl not in {None, stored.gross_pnl}
    has_more_costs = shown.fees > stored.fees or shown.commissions > stored.commissions
    return has_other_result or has_more_costs or shown.is_voided is not stored.is_voided


def may_explain(fill: VenueFill, moved_after: datetime, day_began: datetime, *, is_known: bool) -> bool:
    """Whether a fill may have moved today's balance without being a trade of today in our rows.

    That is one of an unknown product, one of before the day whose result came with it, and one that was voided later.
    """
    if is_known and fill.filled_market_at >= day_began:
        return False
    return fill.is_voided or fill.filled_market_at >= moved_after


def settle_balance(
    connection: Connection, job: CheckBalance, others: Sequence[VenueFill], market_now: datetime
) -> dict[str, str]:
    """Record the amount that the job asked about: as a result if other fills may explain it, else as a move."""
    account = accounts.lock(connection, job.account_id)
    day = trading_day_at(market_now)
    if account is None or account.trading_day != day or not job.concerns(account.pending_balance):
        return {"balance": "has changed since"}
    if others:
        return _count_as_result(connection, job, account, others)
    values = balance_moves.change_by_move(connection, account, job.amount, day)
    balance_moves.record(connection, account, job.amount, day=day, origin="found", values=values)
    return {"moved": str(job.amount)}


def _count_as_result(
    connection: Connection, job: CheckBalance, account: AccountRow, others: Sequence[VenueFill]
) -> dict[str, str]:
    accounts.change(
        connection, account.id, unexplained_balance=job.pending_balance, pending_balance=None, pending_runs=0
    )
    products = ", ".join(sorted({fill.contract_id for fill in others}))
    told = (
        f"{dollars(job.amount)} that fills of {products} may explain, unknown ones, of an earlier day or voided: it "
        f"counts as a result of the day; {balance_moves.describe_command(account.id)}"
    )
    accounts.record_event(connection, account.id, "balance_unexplained", told)
    return {"result": str(job.amount)}
