"""The free space of disks, as the computers that can see them recorded it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.ledger import disk_space
from shared.domain.risk.disk_space import FRESH_FOR, WARN_BELOW, DiskSpace

_KEPT_FOR = timedelta(days=1)
_IS_FRESH = disk_space.c.checked_at.between(func.now() - FRESH_FOR, func.now() + FRESH_FOR)  # a clock set back
# A role without the right to know it sees no row. A server elsewhere has another computer's disk.
_DATA_FOLDER = text("""
    SELECT setting FROM pg_settings
    WHERE name = 'data_directory' AND (inet_server_addr() IS NULL OR inet_server_addr() << '127.0.0.0/8'
                                       OR inet_server_addr() = '::1')
""")


def find_local_data_folder(connection: Connection) -> Path | None:
    """Return the data folder of Postgres if the server is on this computer and tells it."""
    found = connection.execute(_DATA_FOLDER).scalar_one_or_none()
    return None if found is None else Path(found)


def list_fresh(connection: Connection) -> list[DiskSpace]:
    """Return the disks that were recorded within FRESH_FOR."""
    columns = (disk_space.c.host, disk_space.c.path, disk_space.c.free_bytes)
    return [DiskSpace(*row) for row in connection.execute(select(*columns).where(_IS_FRESH))]


def list_low(connection: Connection) -> list[DiskSpace]:
    """Return the disks with too little space, the fullest first."""
    low = [disk for disk in list_fresh(connection) if disk.free_bytes < WARN_BELOW]
    return sorted(low, key=lambda disk: disk.free_bytes)


def store(connection: Connection, disks: Sequence[DiskSpace]) -> None:
    """Record the free space now, and forget the disks of computers that have gone."""
    statement = insert(disk_space)
    changed = {"free_bytes": statement.excluded.free_bytes, "checked_at": func.now()}
    for disk in disks:
        values = {"host": disk.host, "path": disk.path, "free_bytes": disk.free_bytes}
        connection.execute(
            statement.values(values).on_conflict_do_update(index_elements=["host", "path"], set_=changed)
        )
    connection.execute(delete(disk_space).where(disk_space.c.checked_at < func.now() - _KEPT_FOR))
