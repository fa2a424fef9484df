"""Accounts of a size that nothing tells, and those with a preset that this version does not have."""

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import check_with_doctor

NO_PRESET = "unknown preset 'practice-50k-2024' of account 20001, which another version had"


@pytest.mark.parametrize(
    ("name", "used", "right"),
    [("EXPRESS-V2-1", "express-50k", "express-150k"), ("EXPRESS-V2-DLL-1", "express-50k-dll", "express-150k-dll")],
)
def test_doctor_and_risk_say_that_the_size_of_an_express_account_is_a_guess_until_a_person_names_it(
    operator: RunCommand, worker_env: WorkerEnv, name: str, used: str, right: str
) -> None:
    assert "fine" == check_with_doctor(operator, worker_env, "account sizes")["state"]
    worker_env.execute(f"UPDATE account SET name = '{name}', balance = 0, first_preset = '{used}'")
    found = check_with_doctor(operator, worker_env, "account sizes")

    assert "warning" == found["state"]
    for words in (found["detail"], operator("risk").words):
        assert f"its size is not in its name, so the rules of {used} apply" in words
        assert f"`tickwork accounts rules 20001 --preset {right}`" in words
    assert 0 == operator("accounts", "rules", "20001", "--preset", right, "--yes").status
    assert "fine" == check_with_doctor(operator, worker_env, "account sizes")["state"]
    assert None is operator("risk", "--json").json["accounts"][0]["assumed_size"]


@pytest.mark.parametrize("column", ["preset", "first_preset"])
def test_a_preset_that_another_version_had_blocks_entries_until_a_person_chooses_one(
    operator: RunCommand, worker_env: WorkerEnv, column: str
) -> None:
    worker_env.execute(
        f"""UPDATE account SET {column} = 'practice-50k-2024', rule_changes = '{{"daily_loss_limit": "9"}}'"""
    )
    denied = worker_env.entry_alert()
    worker_env.run_due_jobs()
    shown = operator("accounts", "rules", "20001", "--json").json

    assert NO_PRESET in (worker_env.job(denied)[2] or "")
    assert NO_PRESET in operator("risk").words
    assert NO_PRESET in shown["invalid_changes"]
    assert "9" in {row["value"] for row in shown["rules"] if row["rule"] == "daily_loss_limit"}, "it still holds"
    assert "--preset NAME" in operator("accounts", "rules", "20001", "max_trades_per_day=4").error
    assert 0 == operator("accounts", "rules", "20001", "--preset", "practice-50k", "--yes").status
    assert "NO ENTRY" not in operator("risk").words


def test_the_size_of_an_express_account_is_chosen_without_a_question_and_a_looser_rule_asks(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    """Its name has no size: 50K is only assumed, and the firm's rules are those of the size that a person chose."""
    worker_env.execute("UPDATE account SET name = 'EXPRESS-V2-20001-123', first_preset = 'express-50k', preset = NULL")
    chosen = operator("accounts", "rules", "20001", "--preset", "express-150k")
    assert 0 == chosen.status, chosen
    assert 0 == operator("accounts", "rules", "20001", "max_minis=8").status
    looser = operator("accounts", "rules", "20001", "max_minis=16")

    assert (1, True) == (looser.status, "max_minis 16 is looser than the firm's 15" in looser.error)


def test_an_account_of_an_unknown_stage_is_given_a_preset(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("UPDATE account SET name = 'WEIRD-123', first_preset = NULL, preset = NULL")
    given = operator("accounts", "rules", "20001", "--preset", "combine-50k", "--yes")

    assert 0 == given.status, given
    assert [("combine-50k",)] == worker_env.rows("SELECT preset FROM account")
