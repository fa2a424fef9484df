"""What commands say of a feed that has stopped, or has lost a hub of the venue, while a market is open."""

import json
from datetime import timedelta

import pytest

from shared.hot.feed_health import HEALTH_KEY, ContractHealth
from shared.overview.stack_problems import list_problems
from tests.fixtures.feed_reports import report_feed
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import check_with_doctor

AGE = timedelta(seconds=80)
PRICES = {MNQ: ContractHealth(silent_s=1.5, is_in_session=True)}
CLOSE = "UPDATE market_clock SET market_origin_at = '2026-03-14 12:00+00', machine_origin_at = now()"  # a Saturday


def find_problem(worker_env: WorkerEnv) -> str | None:
    with worker_env.ledger.engine.connect() as connection:
        return next(
            (one["detail"] for one in list_problems(connection, worker_env.settings) if one["name"] == "feed"), None
        )


def test_ages_go_on_while_the_feed_is_silent(operator: RunCommand, worker_env: WorkerEnv) -> None:
    report_feed(worker_env, is_subscribed=True, age=AGE, contracts=PRICES)
    feed = operator("metrics", "--section", "feed", "--json").json["feed"]

    (price,) = feed["contracts"]
    assert price["silent_s"] > AGE.total_seconds() + 1
    assert AGE.total_seconds() < feed["market"]["silent_s"] <= feed["age_s"] + 0.001
    said = operator("metrics", "--section", "feed").words
    assert "Feed: SILENT for 8" in said
    assert "market hub was subscribed, last message 8" in said


@pytest.mark.parametrize(
    ("is_connected", "age", "said"),
    [
        (True, AGE, "it has been silent for 8"),
        (False, -AGE, "the market and the user hubs of the venue cannot be reached, so no entry has a fresh quote"),
    ],
)
def test_a_feed_that_brings_nothing_while_a_market_is_open_is_a_problem_and_wrong(
    operator: RunCommand, worker_env: WorkerEnv, age: timedelta, said: str, *, is_connected: bool
) -> None:
    report_feed(worker_env, is_subscribed=is_connected, is_connected=is_connected, age=age)
    found = check_with_doctor(operator, worker_env, "feed")

    assert said in (find_problem(worker_env) or "")
    assert ("wrong", True) == (found["state"], said in found["detail"])


def test_one_lost_hub_is_named_with_what_it_costs(worker_env: WorkerEnv) -> None:
    report_feed(worker_env, is_subscribed=True, age=-AGE)
    report = json.loads(worker_env.redis.get(HEALTH_KEY) or "")
    report["user"] |= {"is_connected": False, "is_subscribed": False}
    worker_env.redis.set(HEALTH_KEY, json.dumps(report))

    found = find_problem(worker_env) or ""
    assert found.startswith("the user hub of the venue cannot be reached, so fills are seen late, by the reconcile: ")


def test_without_a_report_the_feed_is_a_problem_only_while_a_market_is_open(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    assert "it has reported nothing for minutes" in (find_problem(worker_env) or "")
    worker_env.execute(CLOSE)
    assert find_problem(worker_env) is None
    assert "fine" == check_with_doctor(operator, worker_env, "feed")["state"]


def test_a_feed_that_works_is_no_problem(operator: RunCommand, worker_env: WorkerEnv) -> None:
    report_feed(worker_env, is_subscribed=True, age=-AGE)

    assert find_problem(worker_env) is None
    assert "fine" == check_with_doctor(operator, worker_env, "feed")["state"]
