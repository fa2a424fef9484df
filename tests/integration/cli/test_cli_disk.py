"""`tickwork doctor` on a disk with little space: of this computer, and of another that a worker recorded."""

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.shell import Shell


@pytest.mark.parametrize(("limit", "status", "state"), [("WARN_BELOW", 0, "warning"), ("BLOCK_BELOW", 1, "wrong")])
def test_doctor_warns_of_little_space_and_fails_where_entries_are_blocked(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, limit: str, status: int, state: str
) -> None:
    monkeypatch.setattr(f"shared.domain.risk.disk_space.{limit}", 10**18)
    checks = {one["name"]: one for one in shell.json("doctor", expected=status)["checks"]}

    assert state == checks["disk"]["state"]
    assert f"MB are free at {shell.home}" in checks["disk"]["detail"]


def test_doctor_names_the_full_disk_of_another_computer(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("INSERT INTO disk_space VALUES ('elsewhere', '/data', 100000000)")
    home = Home(worker_env.settings.home)
    lock = Lock(home.root)
    lock.acquire()
    environment = {"DATABASE_URL": worker_env.settings.database_url, "REDIS_URL": worker_env.settings.redis_url}
    write_state(home, {"pid": 1, "programs": [], "urls": {}, "environment": environment})
    try:
        checks = {one["name"]: one for one in operator("doctor", "--json").json["checks"]}
    finally:
        lock.close()

    assert "wrong" == checks["disks of the stack"]["state"]
    assert "only 100 MB are free at /data on elsewhere: nothing is entered" in checks["disks of the stack"]["detail"]
