"""Acts on a stored alert for one follower account of its hook: each account has an outcome of its own."""

from shared.db.alerts import alerts
from shared.errors import RefusedError
from shared.ledger.jobs.alerts import HandleFollowerAlert
from workers.alerts.handle_alert import trade_alert
from workers.context import Context
from workers.task import task


@task(HandleFollowerAlert)
def handle_follower_alert(job: HandleFollowerAlert, ctx: Context) -> dict[str, str]:
    """Act as `handle_alert` does; signal, order and the end of this job are one commit."""
    with ctx.autocommit() as connection:
        stored = alerts.read_alert(connection, job.alert_id, job.account_id)
    if stored is None:
        raise RefusedError(f"alert {job.alert_id} does not exist")
    return trade_alert(ctx, stored, job.account_id)
