"""Changes that would breach an account ask first, a false breach is cleared with a reason, and every act is audited."""

import os
import pwd
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from tests.fixtures.alert_steps import hold
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv

USER = pwd.getpwuid(os.getuid()).pw_name


def list_acts(operator: RunCommand) -> list[dict[str, Any]]:
    acts: list[dict[str, Any]] = operator("accounts", "audit", "--json").json["acts"]
    return acts


def make_combine(worker_env: WorkerEnv) -> None:
    """Turn the account into a Combine with 49,000 of its 50,000 left: its loss limit level is 48,000."""
    worker_env.execute(
        "UPDATE account SET name = '50KTC-V2-1', preset = 'combine-50k', balance = 49000, day_opening_balance = 49000, "
        "high_water_mark = 50000"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("high-water-mark", "20001", "51000"), "touched the loss limit level 49,000.00"),
        (("rules", "20001", "max_loss_limit=500"), "touched the loss limit level 49,500.00"),
        (("rules", "20001", "--preset", "combine-150k"), "touched the loss limit level 145,500.00"),
    ],
)
def test_a_change_that_would_breach_at_once_asks_and_names_the_figures(
    operator: RunCommand, worker_env: WorkerEnv, change: tuple[str, ...], words: str
) -> None:
    make_combine(worker_env)
    before = worker_env.rows("SELECT high_water_mark, preset, rule_changes FROM account")
    refused = operator("accounts", *change)
    declined = operator("accounts", *change, typed="n\n")

    assert 1 == refused.status == declined.status
    assert words in " ".join(refused.error.split())
    assert "add --yes to change it" in refused.error
    assert "the account is breached for good" in declined.words
    assert "nothing was changed" in declined.error
    assert before == worker_env.rows("SELECT high_water_mark, preset, rule_changes FROM account")
    assert [] == list_acts(operator)
    assert 0 == operator("accounts", *change, typed="y\n").status
    assert 1 == len(list_acts(operator))


def test_a_change_that_would_lock_the_day_asks_and_yes_answers_for_scripts(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    make_combine(worker_env)
    worker_env.execute("UPDATE account SET day_opening_balance = 49500")
    change = ("accounts", "rules", "20001", "daily_loss_limit=400")

    assert "the day's result touched -400.00" in operator(*change).words
    assert 0 == operator(*change, "--yes").status
    assert 0 == operator("accounts", "rules", "20001", "daily_loss_limit=600").status, "it only blocks entries"


def test_a_breach_is_not_cleared_by_a_balance_that_is_older_than_the_last_fill(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    """A flatten has just ended the position, and its loss is not in the balance yet."""
    hold(worker_env, 1)
    worker_env.execute("UPDATE account SET breached_market_at = now(), reported_at = now() - interval '1 hour'")
    clear = ("accounts", "clear-breach", "20001", "--reason", "a test")

    assert "is older than its last fill: try again soon" in operator(*clear).error
    worker_env.execute("UPDATE account SET reported_at = now() + interval '10 seconds'")
    assert 0 == operator(*clear).status


def test_a_false_breach_is_cleared_with_a_reason_once_its_cause_is_gone(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    make_combine(worker_env)
    assert "is not breached" in operator("accounts", "clear-breach", "20001", "--reason", "a test").error
    worker_env.execute("UPDATE account SET breached_market_at = now(), high_water_mark = 60000")
    assert "missing --reason: expected the reason, in quotes" in operator("accounts", "clear-breach", "20001").error
    again = operator("accounts", "clear-breach", "20001", "--reason", "a test")
    assert "would be breached again at once: its equity is 49000" in again.error
    worker_env.execute("UPDATE account SET high_water_mark = 51001")
    assert 1 == operator("accounts", "clear-breach", "20001", "--reason", "a test").status, "49,001 is still too high"
    operator("accounts", "high-water-mark", "20001", "50000", "--reason", "a typing error", "--yes")

    assert 0 == operator("accounts", "clear-breach", "20001", "--reason", "the dashboard shows none", "--json").status
    assert [(None,)] == worker_env.rows("SELECT breached_market_at FROM account")
    cleared, corrected = list_acts(operator)
    assert ("clear_breach", USER, "the dashboard shows none") == (cleared["act"], cleared["who"], cleared["reason"])
    assert None is cleared["after"]["breached_market_at"] is not cleared["before"]["breached_market_at"]
    assert "tickwork accounts clear-breach on " in cleared["origin"]
    assert ("high_water_mark", {"high_water_mark": "51001"}, {"high_water_mark": "50000"}, "a typing error") == (
        corrected["act"],
        corrected["before"],
        corrected["after"],
        corrected["reason"],
    )


def test_every_act_is_audited_with_its_values_before_and_after(operator: RunCommand, worker_env: WorkerEnv) -> None:
    (name,) = worker_env.rows("SELECT name FROM account")[0]
    for command in (
        ("halt", "lunch"),
        ("resume", "back"),
        ("accounts", "live", "20001", "on", "--name", name),
        ("accounts", "live", "20001", "off"),
        ("accounts", "default-stop", "20001", "40"),
        ("accounts", "rules", "20001", "max_trades_per_day=4"),
    ):
        assert 0 == operator(*command).status, command

    acts = list_acts(operator)
    assert ["rules", "default_stop", "live_off", "live_on", "resume", "halt"] == [act["act"] for act in acts]
    assert {USER} == {act["who"] for act in acts}
    told = {act["act"]: (act["before"], act["after"], act["reason"]) for act in acts}
    trading, halted = {"state": "TRADING", "halt": None}, {"state": "HALTED", "halt": "lunch"}
    assert (trading, halted, "lunch") == told["halt"]
    assert (halted, trading, "back") == told["resume"]
    off, on = ({"live_orders": is_on, "is_shadow": False} for is_on in (False, True))
    assert (off, on, None) == told["live_on"]
    assert {"max_trades_per_day": "4"} == told["rules"][1]["rule_changes"]
    shown = operator("accounts", "audit", "20001").words
    assert "rules rules: max_trades_per_day none -> 4 " in shown
    assert "halt none -> lunch, state TRADING -> HALTED " in shown
    assert "live_on live_orders no -> yes " in shown
    assert "{" not in shown


def test_a_row_of_the_audit_can_be_neither_changed_nor_deleted(operator: RunCommand, worker_env: WorkerEnv) -> None:
    operator("halt", "lunch")
    for statement in ("UPDATE audit SET who = 'another'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="a row of the audit is kept as it is"):
            worker_env.execute(statement)
