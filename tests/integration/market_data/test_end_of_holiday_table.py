"""A market at the real venue whose time comes to the end of the holiday table, or to a day without published hours."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from shared.domain.market_data import holidays
from shared.domain.market_data.calendar import trading_day_at
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.orders.test_order_changes import place_resting_limit, read_state


@pytest.fixture
def today(worker_env: WorkerEnv) -> date:
    return trading_day_at(worker_env.venue.clock.now())


@pytest.fixture
def live(worker_env: WorkerEnv) -> Iterator[WorkerEnv]:
    """A stack that seems to run at the real venue."""
    worker_env.execute("UPDATE market_clock SET kind = 'live'")
    settings = worker_env.settings
    lock = Lock(Home(settings.home).root)
    lock.acquire()
    environment = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    state = {"pid": 1, "programs": [], "urls": {"receiver": "http://127.0.0.1:9"}, "environment": environment}
    write_state(Home(settings.home), state)
    yield worker_env
    lock.close()


def told_by_both(operator: RunCommand) -> tuple[str, str | None]:
    """Return the state of the check of `doctor`, and the problem that `status` shows, None without one."""
    check = next(one for one in operator("doctor", "--json").json["checks"] if one["name"] == "market hours")
    problems = {one["name"]: one["detail"] for one in operator("status", "--json").json["problems"]}
    problem = problems.get("market hours")
    assert check["detail"] == (problem or "known")
    return check["state"], problem


@pytest.mark.usefixtures("live")
def test_from_eight_weeks_before_the_end_doctor_and_status_warn(
    operator: RunCommand, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ("fine", None) == told_by_both(operator)
    monkeypatch.setattr(holidays, "LAST_DAY", today + timedelta(weeks=8))
    assert ("fine", None) == told_by_both(operator)
    monkeypatch.setattr(holidays, "LAST_DAY", today + timedelta(days=55))
    state, problem = told_by_both(operator)

    assert ("warning", True) == (state, (problem or "").endswith("nothing is entered after it: update Tickwork before"))
    assert "in 55 days" in (problem or "")


@pytest.mark.usefixtures("live")
def test_after_the_end_doctor_and_status_say_that_nothing_is_entered(
    operator: RunCommand, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holidays, "LAST_DAY", today - timedelta(days=1))
    state, problem = told_by_both(operator)

    assert "warning" == state
    assert "nothing is entered, and exits go by regular hours; update Tickwork" in (problem or "")


def test_the_simulator_keeps_our_own_hours_so_nothing_warns(
    operator: RunCommand, live: WorkerEnv, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.execute("UPDATE market_clock SET kind = 'seeded'")
    monkeypatch.setattr(holidays, "LAST_DAY", today - timedelta(days=1))

    assert ("fine", None) == told_by_both(operator)


def test_a_resting_entry_is_cancelled_on_a_day_beyond_the_table(
    worker_env: WorkerEnv, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = place_resting_limit(worker_env)
    monkeypatch.setattr(holidays, "LAST_DAY", today - timedelta(days=1))
    worker_env.watch()
    worker_env.run_due_jobs()

    assert "CANCELLED" == read_state(worker_env, order_id)
    assert "the holiday table ends" in worker_env.rows("SELECT reason FROM order_change")[0][0]
