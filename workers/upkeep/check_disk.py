"""Checks the free space of the disks that this computer writes to: of the home, and of Postgres if it is here."""

import logging
import os
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path

from shared.db.accounts import accounts
from shared.db.upkeep import disk_space
from shared.domain.risk.disk_space import DiskSpace, find_fullest
from shared.ledger.jobs.upkeep import CheckDisk
from workers.context import Context
from workers.task import task

log = logging.getLogger(__name__)


@task(CheckDisk)
def check_disk(_: CheckDisk, ctx: Context) -> dict[str, int]:
    """Record the free space, by which every entry is checked; an event of each account tells when it gets low.

    A second run records it again.
    """
    with ctx.autocommit() as connection:
        postgres = disk_space.find_local_data_folder(connection)
        before = find_fullest(disk_space.list_fresh(connection))
    found = _measure([ctx.settings.home, *([postgres] if postgres else [])])
    low = find_fullest(found)
    with ctx.transaction() as tx:
        disk_space.store(tx.connection, found)
        if low is not None and before is None:
            log.warning("disk space is low: %s", low.describe())
            for account in accounts.list_all(tx.connection):
                accounts.record_event(tx.connection, account.id, "disk_low", low.describe())
        result = {disk.path: disk.free_bytes for disk in found}
        tx.finish(result)
    return result


def _measure(paths: Iterable[Path]) -> list[DiskSpace]:
    """Return the free space at each path that this process can see, once for each disk."""
    found: dict[int, DiskSpace] = {}
    for path in paths:
        try:
            device, free = os.stat(path).st_dev, shutil.disk_usage(path).free  # noqa: PTH116  # as disk_usage does
        except OSError:  # another computer's, or another user's
            continue
        found.setdefault(device, DiskSpace(socket.gethostname(), str(path), free))
    return list(found.values())
