"""`tickwork doctor` on a disk with little space: of this computer, and of another that a worker recorded."""

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import check_with_doctor
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
    check = check_with_doctor(operator, worker_env, "disks of the stack")

    assert "wrong" == check["state"]
    assert "only 100 MB are free at /data on elsewhere: nothing is entered" in check["detail"]
