"""`tickwork doctor` with a Postgres that allows fewer connections than the slots need."""

from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import run_doctor


def test_doctor_warns_if_the_slots_need_more_connections_than_postgres_allows(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    usual = run_doctor(operator, worker_env)["connections"]
    many = run_doctor(operator, worker_env, TICKWORK_SLOTS="critical=64,high=64,normal=64,bulk=64")["connections"]

    assert "fine" == usual["state"]
    assert usual["detail"].endswith("20 slots need 70")
    assert "warning" == many["state"]
    assert "256 slots need 542: raise its max_connections, or set fewer slots with TICKWORK_SLOTS" in many["detail"]
