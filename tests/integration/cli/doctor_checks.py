"""`tickwork doctor` beside a stack that seems to run."""

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv


def check_with_doctor(operator: RunCommand, worker_env: WorkerEnv, name: str) -> dict[str, str]:
    """Return one check of `run_doctor`."""
    return run_doctor(operator, worker_env)[name]


def run_doctor(operator: RunCommand, worker_env: WorkerEnv, **environment: str) -> dict[str, dict[str, str]]:
    """Return the checks of `tickwork doctor`, which sees a running stack with the database of the worker, by name."""
    home = Home(worker_env.settings.home)
    lock = Lock(home.root)
    lock.acquire()
    settings = worker_env.settings
    known = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    write_state(home, {"pid": 1, "programs": [], "urls": {}, "environment": known | environment})
    try:
        return {one["name"]: one for one in operator("doctor", "--json").json["checks"]}
    finally:
        lock.close()
