"""Closes what an alert reverses on one account, also while its entry waits for an earlier one."""

from shared.db.alerts import alerts, signals
from shared.errors import RefusedError
from shared.ledger.jobs.alerts import CloseReversed
from workers.alerts.outcome import read_for_account
from workers.alerts.reversals import close_reversed_positions, close_reversed_size
from workers.context import Context
from workers.task import task


@task(CloseReversed)
def close_reversed(job: CloseReversed, ctx: Context) -> dict[str, str]:
    """Close what an alert reverses, by a flatten for a target position; entry and signal are left to its own job.

    Nothing is closed once that job has recorded its signal, but for what was requested to be closed before.
    """
    with ctx.autocommit() as connection:
        stored = alerts.read_alert(connection, job.alert_id, job.account_id)
        if stored is None:
            raise RefusedError(f"alert {job.alert_id} does not exist")
        if stored.reversal is None and signals.is_recorded(connection, job.alert_id, job.account_id):
            return {"nothing_to_do": "the job of the alert has decided already"}
    account_alert = read_for_account(stored, job.account_id)
    if account_alert.alert.target_position is None:
        reversal = close_reversed_size(ctx, account_alert)
        closed = [] if reversal is None else [f"{reversal.closed} of {account_alert.alert.symbol.text}"]
    else:
        closed = close_reversed_positions(ctx, account_alert)
    if not closed:
        return {"nothing_to_do": f"nothing in {account_alert.alert.symbol.text} is held against it"}
    return {"closes": ", ".join(closed)}
