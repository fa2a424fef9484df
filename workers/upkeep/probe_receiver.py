"""The probe of the receiver, which proves from outside that alerts of the internet arrive."""

from shared.db.alerts import probe_hook
from shared.errors import ProbeFailedError
from shared.ledger.jobs.upkeep import ProbeReceiver
from shared.receiver_probe import probe_receiver as post_test_alert
from workers.context import Context
from workers.task import task


@task(ProbeReceiver)
def probe_receiver(_: ProbeReceiver, ctx: Context) -> dict[str, str | int] | None:
    """Post a test alert through the public URL; record when it stops arriving, and when it arrives again.

    Return None without a public URL. A second run posts another test alert.
    """
    url = ctx.settings.public_url
    if not url:
        return None
    try:
        arrived = post_test_alert(ctx.ledger.engine, ctx.settings.home, url)
    except ProbeFailedError as error:
        with ctx.transaction() as tx:
            probe_hook.record_unreachable(tx.connection, f"alerts from the internet do not arrive: {error}")
        raise
    result: dict[str, str | int] = {"url": url, "duration_ms": arrived.duration_ms}
    with ctx.transaction() as tx:
        probe_hook.record_reachable(tx.connection, f"alerts from the internet arrive again at {url}")
        tx.finish(result)
    return result
