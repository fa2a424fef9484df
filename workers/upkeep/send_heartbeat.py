"""The dead-man switch: a URL of the trader's choice is requested each minute, until something that watches stops."""

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from shared.db.metrics import metrics, present
from shared.db.risk import monitor_runs
from shared.errors import HeartbeatWithheldError
from shared.fleets import list_unserved
from shared.ledger.jobs.upkeep import ProbeReceiver, SendHeartbeat
from workers.context import Context
from workers.task import task

_TIMEOUT_S = 10
_MONITOR_LATE_AFTER = timedelta(seconds=10)  # it runs each second


@task(SendHeartbeat)
def send_heartbeat(_: SendHeartbeat, ctx: Context) -> dict[str, str | int] | None:
    """Request the URL if the risk monitor, the feed, workers and the public URL work; a second run requests it again.

    Return None without a URL. Raise HeartbeatWithheldError, which `doctor` shows, if something has stopped, or if the
    service does not take the request. No message shows the URL, which is a secret.
    """
    url = ctx.settings.heartbeat_url
    if not url:
        return None
    if stopped := list(_list_stopped(ctx)):
        raise HeartbeatWithheldError(f"no heartbeat is sent: {'; '.join(stopped)}")
    host, status = _request(url)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise HeartbeatWithheldError(f"{host} took no heartbeat: it answered {status}")
    return {"host": host, "status": status}


def _request(url: str) -> tuple[str, int]:
    """Request the URL, by no library that logs it, and without following a redirect; return its host and the status."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(host, parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")
        return host, connection.getresponse().status
    except (OSError, HTTPException, UnicodeError) as error:
        raise HeartbeatWithheldError(f"{host} took no heartbeat: {type(error).__name__}") from None
    finally:
        connection.close()


def _list_stopped(ctx: Context) -> Iterator[str]:
    """Yield what of all that watches does not work. That this runs shows beat, the relay and Postgres."""
    with ctx.autocommit() as connection:
        monitor = monitor_runs.read(connection)
        unserved = list_unserved([one.fleet for one in present.list_fleets(connection) if one.running])
        unreachable = metrics.find_newest_failure(connection, ProbeReceiver.job_name())
    if monitor is None:
        yield "no risk monitor runs"
    elif monitor.age > _MONITOR_LATE_AFTER:
        yield f"the risk monitor last ran {monitor.age.total_seconds():.0f} s ago"
    if not ctx.user_hub.is_up():
        yield "the feed is not subscribed to the user hub"
    if unserved:
        yield f"no worker serves the queue {' or '.join(unserved)}"
    if ctx.settings.public_url and unreachable is not None:
        yield f"alerts from the internet do not arrive: {unreachable.splitlines()[-1]}"
