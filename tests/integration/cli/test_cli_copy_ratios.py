"""Copy ratios as commands take and show them: `hooks add`, `set`, `list` and `show`, `alerts mock` and `show`."""

import json
from decimal import Decimal
from typing import Any

import pytest

from shared.db.alerts import hooks
from tests.fixtures.alert_steps import hold
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv

BUY = {"action": "buy", "symbol": "MNQ", "quantity": 3, "stop_loss_ticks": 400}


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


@pytest.fixture(autouse=True)
def receiver_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWORK_RECEIVER_URL", "http://127.0.0.1:1")


def read_follower(worker_env: WorkerEnv) -> int:
    ((account_id,),) = worker_env.rows("SELECT id FROM account WHERE id <> %s", worker_env.venue.account_id)
    found: int = account_id
    return found


def test_a_ratio_is_given_shown_and_changed(operator: RunCommand, worker_env: WorkerEnv) -> None:
    follower = read_follower(worker_env)
    added = operator("hooks", "add", "copied", "--account", "20001", "--follower", f"{follower}:0.5")
    assert 0 == added.status, added

    (hook,) = operator("hooks", "list", "--json").json["hooks"]
    assert ([follower], {str(follower): "0.5"}) == (hook["follower_account_ids"], hook["copy_ratios"])
    assert f"{follower} x0.5" in operator("hooks", "list").words
    assert f"followers {follower} x0.5" in operator("hooks", "show", "copied").words
    assert f"{follower} x2" in operator("hooks", "set", "copied", "--follower", f"{follower}:2").words
    assert {str(follower): "2"} == operator("hooks", "show", "copied", "--json").json["copy_ratios"]
    assert 0 == operator("hooks", "set", "copied", "--follower", str(follower), "--size", "2").status
    assert f"followers {follower} last alert" in operator("hooks", "show", "copied").words


def test_a_new_ratio_names_what_is_held_that_it_has_not_sized(operator: RunCommand, worker_env: WorkerEnv) -> None:
    follower = read_follower(worker_env)
    operator("hooks", "add", "copied", "--account", "20001", "--follower", f"{follower}:1")
    worker_env.execute(
        "INSERT INTO position (account_id, contract_id, direction, quantity, opened_market_at)"
        f" VALUES ({follower}, '{MNQ}', 'SHORT', 4, now())"
    )
    same = operator("hooks", "set", "copied", "--follower", str(follower))
    assert (0, "") == (same.status, same.error)
    warned = operator("hooks", "set", "copied", "--follower", f"{follower}:0.5")
    assert f"account {follower} holds -4 MNQ H26, which its new ratio has not sized" in warned.error
    as_json = operator("hooks", "set", "copied", "--follower", f"{follower}:2", "--json").json
    assert as_json["warning"].startswith(f"account {follower} holds -4 MNQ H26")


def test_a_follower_is_taken_from_its_hook_and_may_follow_again(operator: RunCommand, worker_env: WorkerEnv) -> None:
    follower = read_follower(worker_env)
    operator("hooks", "add", "copied", "--account", "20001", "--follower", f"{follower}:0.5")
    ended = operator("hooks", "unfollow", "copied", str(follower))

    assert f"Account {follower} follows hook copied no longer; other followers: none." == ended.words, ended
    assert {} == operator("hooks", "show", "copied", "--json").json["copy_ratios"]
    act = operator("accounts", "audit", str(follower), "--json").json["acts"][0]
    ratios = {str(follower): "0.5"}
    assert ("hook_unfollow", {"copy_ratios": ratios}, {"hook": "copied", "copy_ratios": {}}) == (
        act["act"], act["before"], act["after"],
    )  # fmt: skip
    again = operator("hooks", "unfollow", "copied", str(follower))
    assert (1, True) == (again.status, f"account {follower} does not follow hook copied" in again.error), again
    assert f"{follower} x2" in operator("hooks", "set", "copied", "--follower", f"{follower}:2").words


def test_what_a_former_follower_holds_is_named(operator: RunCommand, worker_env: WorkerEnv) -> None:
    follower, hook_id = read_follower(worker_env), worker_env.add_hook()
    with worker_env.ledger.engine.begin() as connection:
        hooks.set_followers(connection, hook_id, {follower: Decimal(1)})
    worker_env.entry_alert(hook_id)
    worker_env.run_due_jobs()

    told = operator("hooks", "unfollow", f"hook {hook_id}", str(follower)).words
    assert "It holds +1 MNQ H26, which no alert of the hook closes from now on." in told
    ((alert_id,),) = worker_env.rows("SELECT id FROM alert")
    accounts = operator("alerts", "show", str(alert_id), "--json").json["accounts"]
    assert ["1", None] == [one["copy_ratio_now"] for one in accounts]
    assert 0 == operator("alerts", "show", str(alert_id)).status


@pytest.mark.parametrize("ratio", ["0", "-1", "abc", "101", ""])
def test_an_invalid_ratio_is_an_error_that_names_it_and_adds_nothing(
    operator: RunCommand, worker_env: WorkerEnv, ratio: str
) -> None:
    word = f"{read_follower(worker_env)}:{ratio}"
    refused = operator("hooks", "add", "copied", "--account", "20001", "--follower", word)

    expected = f"invalid --follower '{word}': invalid copy ratio '{ratio}': expected a number above 0, at most 100"
    assert (1, True) == (refused.status, expected in refused.words), refused
    assert [] == operator("hooks", "list", "--json").json["hooks"]


def test_the_hooks_own_account_is_no_follower(operator: RunCommand) -> None:
    refused = operator("hooks", "add", "copied", "--account", "20001", "--follower", "20001:0.5")

    assert (1, True) == (refused.status, "account 20001 is the hook's own, expected another one" in refused.words)


@pytest.mark.parametrize(
    ("held", "fields", "details"),
    [
        (0, {"quantity": 3}, ["BUY 3 ", "BUY 1 "]),
        (0, {"quantity": 1}, ["BUY 1 ", "copy ratio 0.5 of 1 contract is less than one contract"]),
        (0, {"market_position": "long", "market_position_size": 5}, ["BUY 5 ", "BUY 2 "]),
        (0, {"market_position": "long", "market_position_size": 1}, ["BUY 1 ", "nothing is held, nothing is wanted"]),
        (2, {"action": "close", "quantity": 1}, ["CLOSE 1 MNQ", "nothing that it means is held"]),
    ],
)
def test_mock_says_what_each_account_would_trade_with_its_ratio(
    operator: RunCommand, worker_env: WorkerEnv, held: int, fields: dict[str, Any], details: list[str]
) -> None:
    follower = read_follower(worker_env)
    if held:
        hold(worker_env, held)
    assert 0 == operator("hooks", "add", "copied", "--account", "20001", "--follower", f"{follower}:0.5").status
    found = operator("alerts", "mock", "--hook", "copied", "--json", json.dumps(BUY | fields))

    told = found.json["accounts"]
    assert [(20001, "1"), (follower, "0.5")] == [(one["account_id"], one["copy_ratio"]) for one in told]
    assert [True, True] == [part in one["detail"] for part, one in zip(details, told, strict=True)], told
    if held == 0:
        assert "copy ratio 0.5" in told[1]["detail"]
        assert "copy ratio" not in told[0]["detail"]


def test_show_says_what_was_traded_with_the_ratio(operator: RunCommand, worker_env: WorkerEnv) -> None:
    follower, hook_id = read_follower(worker_env), worker_env.add_hook()
    with worker_env.ledger.engine.begin() as connection:
        hooks.set_followers(connection, hook_id, {follower: Decimal("0.5")})
    worker_env.entry_alert(hook_id, quantity=3)
    worker_env.run_due_jobs()
    ((alert_id,),) = worker_env.rows("SELECT id FROM alert")
    found = operator("alerts", "show", str(alert_id), "--json").json

    copies = [(one["copy_ratio_now"], one["signal"]["quantity"], one["signal"]["reason"]) for one in found["accounts"]]
    assert [("1", 3, None), ("0.5", 1, "copy ratio 0.5")] == copies
    text = operator("alerts", "show", str(alert_id)).words
    assert f"Account {follower} (" in text
    assert "copy ratio now 0.5" in text
