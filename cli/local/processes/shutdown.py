"""Stops a stack so that nothing is lost: what takes work in first, then what does it, then what keeps it."""

import socket
from collections.abc import Callable

from cli.local.processes.programs import StackConfig
from cli.local.processes.supervisor import Child, Supervisor
from shared.db.engine import DATABASE_ERRORS, driver, make_engine
from shared.fleets import FLEETS
from shared.ledger import recovery

_FLEETS = {fleet.program: fleet.name for fleet in FLEETS}
_ORDER = (("receiver",), ("beat", "relay", "flower"), tuple(_FLEETS), ("simulator",), ("valkey",), ("postgres",))


def shut_down(supervisor: Supervisor, stack: StackConfig | None, show: Callable[[str], None]) -> None:
    """Stop everything within 25 s; jobs of workers that had to be killed are handed back to the queue."""

    def release_on_shutdown(child: Child, pid: int) -> None:
        fleet = _FLEETS.get(child.program.name)
        if fleet is None or stack is None:
            return
        engine = make_engine(stack.database_url, program="up", pool_size=1)
        try:
            with engine.begin() as connection:
                count = recovery.release_on_shutdown(driver(connection), f"{fleet}@{socket.gethostname()}.{pid}")
            show(f"{count} job(s) of {child.program.name} handed back")
        except DATABASE_ERRORS as error:
            show(f"jobs of {child.program.name} come back when their leases end: {error}")
        finally:
            engine.dispose()

    for names in _ORDER:
        supervisor.stop(names, on_kill=release_on_shutdown)
