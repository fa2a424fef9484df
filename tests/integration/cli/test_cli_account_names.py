"""Accounts whose names tell no stage, in `tickwork accounts` and `doctor`."""

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv


def add_account(worker_env: WorkerEnv, name: str) -> None:
    worker_env.execute(f"INSERT INTO account (id, name, balance, can_trade) VALUES (30001, '{name}', 50000, true)")


def test_accounts_and_doctor_name_an_account_of_unknown_stage_and_what_to_do(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    assert "unknown stage" not in operator("accounts").words
    add_account(worker_env, "TEAM-7")
    home = Home(worker_env.settings.home)
    lock = Lock(home.root)
    lock.acquire()
    environment = {"DATABASE_URL": worker_env.settings.database_url, "REDIS_URL": worker_env.settings.redis_url}
    write_state(home, {"pid": 1, "programs": [], "urls": {}, "environment": environment})
    try:
        checks = {one["name"]: one for one in operator("doctor", "--json").json["checks"]}
    finally:
        lock.close()

    assert "warning" == checks["account names"]["state"]
    for words in (checks["account names"]["detail"], operator("accounts").words):
        assert "TEAM-7: unknown stage, so it is never traded: expected a name that begins with PRAC-" in words
        assert "open an issue with the beginning of its name" in words
