"""Accounts whose names tell no stage, in `tickwork accounts` and `doctor`."""

from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import check_with_doctor


def add_account(worker_env: WorkerEnv, name: str) -> None:
    worker_env.execute(f"INSERT INTO account (id, name, balance, can_trade) VALUES (30001, '{name}', 50000, true)")


def test_accounts_and_doctor_name_an_account_of_unknown_stage_and_what_to_do(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    assert "unknown stage" not in operator("accounts").words
    add_account(worker_env, "TEAM-7")
    check = check_with_doctor(operator, worker_env, "account names")

    assert "warning" == check["state"]
    for words in (check["detail"], operator("accounts").words):
        assert "TEAM-7: unknown stage, so it is never traded: expected a name that begins with PRAC-" in words
        assert "open an issue with the beginning of its name" in words
