"""The ordered stop of a stack: first the programs that take work in, then the workers, then the servers."""

import socket
from collections.abc import Callable

from cli.local.processes.programs import StackConfig
from cli.local.processes.supervisor import Child, Supervisor
from shared.db.engine import DATABASE_ERRORS, driver, make_engine
from shared.fleets import FLEETS
from shared.ledger import recovery

_FLEETS = {fleet.program: fleet.name for fleet in FLEETS}
STOP_ORDER = (
    ("receiver",),
    ("beat", "relay", "flower"),
    tuple(_FLEETS),
    ("feed",),
    ("simulator",),
    ("valkey",),
    ("postgres",),
)


def shut_down(supervisor: Supervisor, stack: StackConfig | None, show: Callable[[str], None]) -> None:
    """Stop everything within 25 s; the jobs of killed workers are released to the queue."""

    def release_on_shutdown(child: Child, pid: int) -> None:
        fleet = _FLEETS.get(child.program.name)
        if fleet is None or stack is None:
            return
        engine = make_engine(stack.database_url, program="up", pool_size=1)
        try:
            with engine.begin() as connection:
                count = recovery.release_on_shutdown(driver(connection), f"{fleet}@{socket.gethostname()}.{pid}")
            show(f"released {count} job(s) of {child.program.name}")
        except DATABASE_ERRORS as error:
            show(f"the jobs of {child.program.name} are released when their leases expire: {error}")
        finally:
            engine.dispose()

    for names in STOP_ORDER:
        supervisor.stop(names, on_kill=release_on_shutdown)
