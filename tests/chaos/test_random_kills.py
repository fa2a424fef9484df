"""Alerts while programs are killed, or asked to end, in turn: every 202 is one job that ends once, and one order."""

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
import requests

from tests.fixtures.chaos_form import ENTRY_TTL_S, IS_LONG, RECONCILED, UNRESOLVED
from tests.fixtures.processes import TERMINAL
from tests.fixtures.stack import ALERT, Stack, eventually

ALERTS = 300 if IS_LONG else 24
ROUNDS_OF_UP = 3
PER_SECOND = 15 if IS_LONG else 10
STRIKE_AFTER_S = (0.5, 2.0) if IS_LONG else (0.2, 0.6)
# On SIGTERM Postgres waits for its last client; `up` sends SIGINT.
POSTGRES_SIGNALS = {signal.SIGKILL: signal.SIGKILL, signal.SIGTERM: signal.SIGINT}
BROKER = "the broker"  # when it is a program of its own
VICTIMS = [
    "receiver",
    "relay",
    "beat",
    "worker-critical",
    "worker-high",
    "worker-normal",
    "risk-monitor",
    "simulator",
    "valkey",
    "postgres",
]


def send(url: str, number: int) -> str:
    """Post one alert again and again until it is accepted; return the id of its job."""
    alert = ALERT | {
        "id": f"alert-{number}",
        "action": "buy" if number % 2 == 0 else "sell",
        "stop_loss_ticks": 4000,
        "take_profit_ticks": 4000,
    }

    def post() -> str | None:
        answer = requests.post(url, json=alert, timeout=5)
        return str(answer.json()["job_id"]) if answer.status_code == 202 else None

    job: str = eventually(f"alert {number} is accepted", post, timeout=240)
    return job


OF_ALERTS = "role IN ('ENTRY', 'EXIT')"  # an alert against what is held closes one contract, any other opens one
UNRESOLVED_ORDERS = f"""
    SELECT orders.state, orders.reason, orders.submitted_at, job.name, job.state, job.attempt, job.error
    FROM orders LEFT JOIN job USING (correlation_id)
    WHERE orders.{UNRESOLVED} ORDER BY orders.id, job.id LIMIT 40
"""


@pytest.fixture(scope="module")
def running(stack: Stack) -> Stack:
    stack.env["TICKWORK_ENTRY_TTL"] = str(ENTRY_TTL_S)
    stack.up("--limits", "off")
    return stack


@pytest.mark.chaos
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to end"])
def test_every_accepted_alert_is_one_job_in_one_end_and_one_order(running: Stack, how: signal.Signals) -> None:
    hit: Counter[str] = Counter()
    dice = random.Random()
    victims = itertools.chain.from_iterable(
        dice.sample([*VICTIMS, BROKER], len(VICTIMS) + 1) for _ in (itertools.count() if IS_LONG else range(1))
    )

    def strike(done: threading.Event) -> None:
        for victim in victims:
            time.sleep(dice.uniform(*STRIKE_AFTER_S))
            if IS_LONG and done.is_set():
                return
            running.broker.restart_if_ended()
            if victim == BROKER:
                hit[victim] += running.broker.end(how)
            else:
                eventually(f"{victim} has a process to end", partial(end_program, running, victim, how))
                hit[victim] += 1

    accepted = accept_all(running, how.name, ALERTS, strike)
    assert_each_is_one_job_and_one_order(running, accepted, f"{how.name} {dict(hit)}")
    assert set(VICTIMS) <= set(hit)


def end_program(stack: Stack, program: str, how: signal.Signals) -> bool:
    """Send a program the signal; return False when it has just ended."""
    try:
        os.kill(stack.pid_of(program), how if program != "postgres" else POSTGRES_SIGNALS[how])
    except ProcessLookupError:
        return False
    return True


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_an_up_that_is_frozen_loses_no_alert_and_repeats_none(running: Stack) -> None:
    def strike(done: threading.Event) -> None:
        os.kill(running.pid, signal.SIGSTOP)
        done.wait()  # programs go on without their supervisor
        os.kill(running.pid, signal.SIGCONT)

    accepted = accept_all(running, "frozen", ALERTS // 3, strike)
    assert_each_is_one_job_and_one_order(running, accepted, "up frozen once")


@pytest.mark.chaos
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_an_up_that_is_killed_again_and_again_loses_no_alert_and_repeats_none(running: Stack) -> None:
    """The short form is test_up.py::test_a_killed_up_leaves_no_orphan_and_the_next_one_loses_nothing."""

    def strike(done: threading.Event) -> None:
        for _ in range(ROUNDS_OF_UP):
            done.wait(1)
            running.kill()
            running.up("--limits", "off")

    accepted = accept_all(running, "killed", ALERTS // 3, strike)
    assert_each_is_one_job_and_one_order(running, accepted, f"up killed {ROUNDS_OF_UP} times")


def accept_all(stack: Stack, name: str, count: int, strike: Callable[[threading.Event], None]) -> dict[int, str]:
    """Send `count` alerts while `strike` runs; return the job of each accepted alert."""
    eventually("the account is reconciled", lambda: stack.rows(RECONCILED))
    stack.loosen_rules()
    url = stack.hook(name)
    accepted: dict[int, str] = {}
    done = threading.Event()

    def post(number: int) -> None:
        accepted[number] = send(url, number)

    def post_all() -> None:
        senders = [threading.Thread(target=post, args=(number,)) for number in range(count)]
        for sender in senders:
            sender.start()
            time.sleep(1 / PER_SECOND)
        for sender in senders:
            sender.join()
        done.set()

    sending = threading.Thread(target=post_all)
    sending.start()
    strike(done)
    sending.join()
    stack.broker.wait_until_answering()
    stack.wait_until_running()
    assert count == len(accepted)
    assert count == len(set(accepted.values()))
    return accepted


def assert_each_is_one_job_and_one_order(stack: Stack, accepted: dict[int, str], what: str) -> None:
    """Wait until every job and order has ended, and compare our orders with the venue's."""
    eventually(
        "every job of an alert has ended",
        lambda: all(state in TERMINAL for _, state in job_states(stack, accepted)),
        timeout=240,
    )
    eventually(
        "every order is resolved",
        lambda: not stack.rows(f"SELECT 1 FROM orders WHERE {UNRESOLVED}"),
        timeout=120,
        explain=lambda: stack.rows(UNRESOLVED_ORDERS),
    )
    ends = Counter(state for _, state in job_states(stack, accepted))
    at_venue = Counter(tag for tag in filled_at_venue(stack) if tag)
    eventually(
        "every fill at the venue is recorded here",
        lambda: set(at_venue) <= filled_here(stack),
        timeout=120,
        explain=lambda: stack.rows(f"SELECT role, state, count(*) FROM orders WHERE {OF_ALERTS} GROUP BY 1, 2"),
    )
    placed = filled_here(stack)
    print(f"\n{what}; jobs {dict(ends)}; orders filled {len(placed)}; at the venue {len(at_venue)}")

    assert placed == set(at_venue)
    assert set() == {tag for tag, count in at_venue.items() if count > 1}
    # An exit that did not reach the venue is another order when it is requested again.
    twice = f"""
        SELECT correlation_id, array_agg((role, side, state, reason)::text) FROM orders
        WHERE {OF_ALERTS} AND (role = 'ENTRY' OR state = 'FILLED') GROUP BY 1 HAVING count(*) > 1
    """
    assert [] == stack.rows(twice), "one alert became two orders"


def job_states(stack: Stack, accepted: dict[int, str]) -> list[tuple[str, str]]:
    return stack.rows("SELECT id::text, state FROM job WHERE id = ANY(%s::uuid[])", list(accepted.values()))


def filled_here(stack: Stack) -> set[str]:
    """Return the tags of all filled orders of alerts in our tables."""
    return {row[0] for row in stack.rows(f"SELECT client_order_id FROM orders WHERE {OF_ALERTS} AND state = 'FILLED'")}


def filled_at_venue(stack: Stack) -> list[str]:
    """Return the tags of all filled market orders at the simulator."""
    account = stack.rows("SELECT id FROM account")[0][0]
    found = stack.at_venue("/api/Order/search", accountId=account, startTimestamp="2000-01-01T00:00:00Z")["orders"]
    return [
        order["customTag"] or ""
        for order in found
        if order["status"] == 2 and order["parentOrderId"] is None and order["type"] == 2
    ]
