"""The ordered stop of a stack: first the programs that take work in, then the workers, then the servers."""

from collections.abc import Callable

from cli.local.home.state import Json
from cli.local.processes.left_open import start_reading
from cli.local.processes.programs import DIRECT_WORKER, EXPORTER, RISK_MONITOR, TRACE_EXPORTER, StackConfig
from cli.local.processes.supervisor import Child, Supervisor
from shared.db.engine import DATABASE_ERRORS, driver, make_engine
from shared.domain.counting import count_of
from shared.fleets import FLEETS
from shared.ledger import recovery

_WORKERS = (*(fleet.program for fleet in FLEETS), DIRECT_WORKER)
# A new program takes its place here: the programs of one group are stopped together, and the next group after them.
_WORK = (("receiver", RISK_MONITOR, "beat", "relay"), _WORKERS)  # nothing new, then what runs
_MARKET = (("feed", "flower", EXPORTER, TRACE_EXPORTER), ("simulator",))
_SERVERS = (("valkey",), ("postgres",))
STOP_ORDER = (*_WORK, *_MARKET, *_SERVERS)


def shut_down(supervisor: Supervisor, stack: StackConfig | None, show: Callable[[str], None]) -> list[Json] | None:
    """Stop everything within 25 s; the jobs of killed workers are released to the queue.

    Return what stays open at the venue after the last job, by account; None if it is not known.
    """

    def release_on_shutdown(child: Child) -> None:
        if child.program.name not in _WORKERS or stack is None:
            return
        engine = make_engine(stack.database_url, program="up", pool_size=1)
        try:
            with engine.begin() as connection:
                count = recovery.release_on_shutdown(driver(connection), child.worker_id)
            show(f"released {count_of(count, 'job')} of {child.program.name}")
        except DATABASE_ERRORS as error:
            show(f"the jobs of {child.program.name} are released when their leases expire: {error}")
        finally:
            engine.dispose()

    for names in _WORK:
        supervisor.stop(names, on_kill=release_on_shutdown)
    finish_reading = None if stack is None else start_reading(stack.database_url)
    for names in _MARKET:
        supervisor.stop(names)
    left_open = None if finish_reading is None else finish_reading()
    for names in _SERVERS:
        supervisor.stop(names)
    return left_open
