"""The row of the active risk monitor: where it runs, when its last run ended, and how late its runs began."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, text

from shared.db.tables.accounts import risk_monitor
from shared.domain.risk.run_delays import DelayFigures

# A crash of Postgres may undo it, and the next run comes a second later: its commit need not wait for the disk.
_RECORD = text("""
    WITH lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO risk_monitor (host, pid, active_since_at, ran_at, run_count, last_delay, p50_delay, max_delay)
    SELECT :host, :pid, :active_since_at, clock_timestamp(), :run_count, :last, :p50, :longest FROM lax
    ON CONFLICT (is_only) DO UPDATE SET
        host = excluded.host, pid = excluded.pid, active_since_at = excluded.active_since_at, ran_at = excluded.ran_at,
        run_count = excluded.run_count, last_delay = excluded.last_delay, p50_delay = excluded.p50_delay,
        max_delay = excluded.max_delay
""")


@dataclass(frozen=True, slots=True)
class ActiveMonitor:
    """A monitor that holds the lease, since an instant by Postgres' clock."""

    host: str
    pid: int
    active_since_at: datetime


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """A row of the table `risk_monitor`; `age` is the time since its last run ended, by Postgres' clock."""

    host: str
    pid: int
    active_since_at: datetime
    ran_at: datetime
    age: timedelta
    run_count: int
    last_delay: timedelta
    p50_delay: timedelta
    max_delay: timedelta


def read_last_run(connection: Connection) -> tuple[datetime, timedelta | None]:
    """Return Postgres' time, and the time since the last run of a monitor that died; None if there was none."""
    now, ran_at = connection.execute(select(func.now(), select(risk_monitor.c.ran_at).scalar_subquery())).one()
    return now, None if ran_at is None else now - ran_at


def record(connection: Connection, active: ActiveMonitor, figures: DelayFigures) -> None:
    """Record that a run of the active monitor has ended, and the delays of the last minute."""
    values = {"run_count": figures.run_count, "last": figures.last, "p50": figures.p50, "longest": figures.longest}
    connection.execute(_RECORD, {**asdict(active), **values})


def end(connection: Connection) -> None:
    """Delete the row, as the monitor stops and no run is late."""
    connection.execute(delete(risk_monitor))


def read(connection: Connection) -> MonitorRow | None:
    """Return the row; None if no monitor has run since the last one stopped."""
    age = func.now() - risk_monitor.c.ran_at
    columns = [age if name == "age" else risk_monitor.c[name] for name in MonitorRow.__dataclass_fields__]
    row = connection.execute(select(*columns)).one_or_none()
    return None if row is None else MonitorRow(*row)
