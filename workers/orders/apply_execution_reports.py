"""Applies the execution reports of one account: orders, fills and the balance that the user hub reported."""

import logging

from shared.db.accounts import account_reports
from shared.db.engine import UNFIT_ERRORS
from shared.errors import RefusedError
from shared.gateway import wire
from shared.ledger.jobs.orders import ApplyExecutionReports
from workers.context import Context
from workers.orders import venue_state, venue_view
from workers.task import task

log = logging.getLogger(__name__)


@task(ApplyExecutionReports)
def apply_execution_reports(job: ApplyExecutionReports, ctx: Context) -> dict[str, int]:
    """Bring our rows in line with the reports; one that is older than its row, or comes twice, changes nothing.

    When Postgres rejects an event of a batch, each event becomes a job of its own, so that the others are stored. Raise
    RefusedError for a single event that it rejects.
    """
    try:
        return _apply_reports(job, ctx)
    except UNFIT_ERRORS as error:
        if job.count == 1:
            raise RefusedError(f"account {job.account_id}: the event cannot be stored: {error}") from error
        log.warning(
            "account %s: one of %s events cannot be stored, each becomes a job of its own", job.account_id, job.count
        )
    with ctx.transaction() as tx:
        for event in job.split():
            tx.enqueue(event)
        result = {"split": job.count}
        tx.finish(result)
    return result


def _apply_reports(job: ApplyExecutionReports, ctx: Context) -> dict[str, int]:
    shown = [wire.parse_order(document) for document in job.orders]
    fills = [wire.parse_fill(document) for document in job.fills]
    # Storing the balance locks the account's row, which must not happen while orders are locked: it commits first.
    for document in job.accounts[-1:]:
        account = wire.parse_account(document)
        with ctx.transaction() as tx:
            account_reports.store(
                tx.connection,
                ctx.clock.to_market(job.reported_at),
                account_id=account.id,
                name=account.name,
                balance=account.balance,
                can_trade=account.can_trade,
                is_simulated=account.is_simulated,
                reported_at=job.reported_at,
            )
    view = venue_view.notice(ctx, job.account_id, shown, fills, must_record=False)
    result = {"orders": len(view.applicable_orders), "fills": len(fills), "accounts": len(job.accounts)}
    with ctx.transaction() as tx:
        venue_state.apply(tx, view)
        tx.finish(result)
    return result
