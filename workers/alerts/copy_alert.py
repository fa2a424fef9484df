"""Acts on a stored alert for one further account of its hook: each account has an outcome of its own."""

from shared.ledger.jobs.alerts import CopyAlert
from workers.alerts.handle_alert import act
from workers.context import Context
from workers.task import task


@task(CopyAlert)
def copy_alert(job: CopyAlert, ctx: Context) -> dict[str, str]:
    """Act as `handle_alert` does; signal, intent and the end of this job are one commit."""
    return act(ctx, job.alert_id, job.account_id)
