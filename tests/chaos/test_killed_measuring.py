"""Programs killed in turn in the middle of a day: no row of money is lost, and of measurements those of a second."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psutil
import pytest
import requests

from tests.fixtures.both_states import list_differences, read_our_state, read_venue_state
from tests.fixtures.chaos_form import ENTRY_TTL_S, IS_LONG, RECONCILED, UNRESOLVED
from tests.fixtures.measured_traffic import TrafficSampler, measure_lag
from tests.fixtures.processes import TERMINAL, free_port
from tests.fixtures.stack import ALERT, Stack, eventually

ROUNDS = 5 if IS_LONG else 1
ASKS_NOTHING = ("receiver", "relay", "beat", "risk-monitor", "exporter")  # of the venue
ASKS = ("worker-critical", "worker-high", "worker-normal", "worker-bulk", "worker-direct", "feed")
PER_SECOND = 1 if IS_LONG else 4  # over minutes a market order against what is held takes its time
MOST_UNSTORED = (
    2 + 2 * ROUNDS
)  # reads of a gauge, one a second: a kill loses one or two, and as many wait for their commit
BUSY = "SELECT name, state, error FROM job WHERE state IN ('queued', 'running') AND run_at < now() + interval '20 s'"
# Of every alert that was accepted: its row, the end of its job, and, if that succeeded, the signal and the order.
OF_ALERTS = """
    SELECT job.id::text, job.state, count(DISTINCT alert.id), count(DISTINCT signal.id), count(DISTINCT orders.id)
    FROM job JOIN alert ON alert.job_id = job.id LEFT JOIN signal ON signal.alert_id = alert.id
    LEFT JOIN orders ON orders.correlation_id = job.id AND orders.role IN ('ENTRY', 'EXIT')
    WHERE job.id = ANY(%s::uuid[]) GROUP BY job.id, job.state
"""
LOST_EVALUATIONS = """
    SELECT arguments FROM job WHERE name = 'strategies.evaluate_strategy' AND state = 'succeeded' AND NOT EXISTS (
        SELECT 1 FROM strategy_run WHERE strategy = arguments ->> 'strategy'
        AND contract_id = arguments ->> 'contract_id'
        AND closed_until_market_at = (arguments ->> 'closed_until')::timestamptz)
"""
RUNNING = "SELECT id FROM job WHERE name = 'orders.reconcile_account' AND state = 'running'"

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def trading(stack: Stack) -> Stack:
    stack.env |= {
        "TICKWORK_ENTRY_TTL": str(ENTRY_TTL_S),
        "TICKWORK_CONTRACTS": "MNQ",
        "TICKWORK_PROMETHEUS_PORT": str(free_port()),
    }
    stack.up("--at", "2026-03-09T04:00", "--speed", "30", "--limits", "off")
    eventually("the account is reconciled", lambda: stack.rows(RECONCILED))
    stack.loosen_rules()
    stack.speed_up_schedules()
    return stack


@contextmanager
def alerts(stack: Stack, name: str) -> Iterator[dict[int, str]]:
    """Send alerts until the body ends, each until it is accepted; the jobs of those that were, by number."""
    hook, accepted, stopping = stack.hook(name), dict[int, str](), threading.Event()

    def send(number: int) -> str | None:
        side = {"action": ("buy", "sell")[number % 2], "stop_loss_ticks": 4000, "take_profit_ticks": 4000}
        answer = requests.post(hook, json=ALERT | side | {"id": f"{name} {number}"}, timeout=10)
        return str(answer.json()["job_id"]) if answer.status_code == requests.codes.accepted else None

    def send_all() -> None:
        for number in itertools.count():
            if stopping.wait(1 / PER_SECOND):
                return
            accepted[number] = eventually(f"alert {number} is accepted", partial(send, number))

    thread = threading.Thread(target=send_all)
    thread.start()
    try:
        yield accepted
    finally:
        stopping.set()
        thread.join()


def kill(stack: Stack, program: str) -> float:
    """Kill a program with its child processes, and return when; wait until it runs again."""
    pid = stack.pid_of(program)
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    at = time.monotonic()
    for process in family:
        process.kill()
    eventually(f"{program} has another process", lambda: stack.pid_of(program) != pid)
    stack.wait_until_running()
    return at


def kill_each(stack: Stack, sampler: TrafficSampler, programs: tuple[str, ...]) -> int:
    """Kill the programs in turn; return how many requests the venue counted in the last seconds before the kills."""
    last = 0
    for program in programs * ROUNDS:
        sampler.wait_for_second()
        at = kill(stack, program)
        last += sampler.count_last_second(at)
    return last


@pytest.fixture
def pausing(trading: Stack) -> Iterator[None]:
    """Let the schedule go on after a test has stopped it."""
    yield
    trading.rows("UPDATE schedule SET is_enabled = true RETURNING 1")


@pytest.mark.parametrize("programs", [ASKS_NOTHING, ASKS], ids=["that ask the venue nothing", "that ask the venue"])
@pytest.mark.usefixtures("pausing")
def test_killed_programs_lose_no_row_of_money_and_the_measurements_of_a_second(
    trading: Stack, programs: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with TrafficSampler(trading) as sampler:
        with alerts(trading, programs[0]) as accepted:
            may_be_lost = kill_each(trading, sampler, programs)
        trading.rows("UPDATE schedule SET is_enabled = false RETURNING 1")
        eventually("every job has ended", lambda: not trading.rows(BUSY), 240, lambda: trading.rows(BUSY))
    may_be_lost = may_be_lost if programs == ASKS else 0
    eventually("the calls are recorded", lambda: sampler.count_missing() <= may_be_lost, 30, sampler.list_missing)
    with capsys.disabled():
        print(f"\nkilled {', '.join(programs)}, {ROUNDS} times: {len(accepted)} alerts, {sampler.count_requests()}")
        print(f"requests, {sampler.count_missing()} without a row, of the last seconds {may_be_lost}")

    assert len(accepted) > len(programs)
    assert_money_is_whole(trading, accepted)
    assert [] == trading.rows(LOST_EVALUATIONS)
    assert measure_lag(sampler.feed) <= MOST_UNSTORED
    assert measure_lag(sampler.monitor) <= MOST_UNSTORED


def assert_money_is_whole(stack: Stack, accepted: dict[int, str]) -> None:
    """Every accepted alert has its rows, and orders, fills, position and balance are the venue's."""
    jobs = stack.rows(OF_ALERTS, list(accepted.values()))
    assert set(accepted.values()) == {row[0] for row in jobs}
    assert {1} == {row[2] for row in jobs}
    assert {row[1] for row in jobs} <= TERMINAL
    assert [] == [row for row in jobs if row[1] == "succeeded" and not (row[3] == 1 <= row[4])]
    ((account_id,),) = stack.rows("SELECT id FROM account")
    stack.rows("UPDATE schedule SET is_enabled = true RETURNING 1")
    eventually("every order is resolved", lambda: not stack.rows(f"SELECT 1 FROM orders WHERE {UNRESOLVED}"))

    def list_all_differences() -> list[object]:
        return list_differences(read_our_state(stack, account_id), read_venue_state(stack, account_id))

    eventually("our state is the venue's", lambda: not list_all_differences(), 120, list_all_differences)


@pytest.mark.usefixtures("pausing")
def test_a_worker_killed_in_a_long_job_has_recorded_its_calls_of_more_than_a_second_ago(trading: Stack) -> None:
    """Also of a job that may send orders, which does not wait for that."""
    trading.control("PUT", "faults", {"kind": "delay", "seconds": 3})
    ((job_id,),) = eventually("a slow reconcile runs", lambda: trading.rows(RUNNING))
    calls = "SELECT 1 FROM api_call WHERE job_id = %s"
    eventually("its first call is recorded", lambda: trading.rows(calls, job_id))
    assert "running" == trading.job(str(job_id))[0]
    os.kill(trading.pid_of("worker-high"), signal.SIGKILL)
    trading.control("DELETE", "faults")
    assert trading.wait_for_end(str(job_id)) in {"succeeded", "cancelled"}  # one that waits ends with the next
