"""Alerts while programs are killed, or asked to end, in turn: every 202 is one job in one end, and one order."""

import os
import random
import signal
import threading
import time
from collections import Counter

import pytest
import requests

from shared.config import environment
from tests.fixtures.stack import ALERT, TERMINAL, Stack, eventually

IS_LONG = environment().get("TICKWORK_CHAOS") == "long"
ALERTS = 300 if IS_LONG else 60
PER_SECOND = 15 if IS_LONG else 10
# Postgres that is asked to end by SIGTERM waits for its last client: `up` uses SIGINT.
IN_HASTE = {signal.SIGKILL: signal.SIGKILL, signal.SIGTERM: signal.SIGINT}
VICTIMS = ["receiver", "relay", "beat", "worker-critical", "worker-trading", "simulator", "valkey", "postgres"]
BROKER = "the broker"  # where it is a program of its own


def send(url: str, number: int) -> str | None:
    """Post one alert as a careful sender does, again until it is accepted; return its job."""
    alert = ALERT | {
        "id": f"alert-{number}",
        "action": "buy" if number % 2 == 0 else "sell",
        "stop_loss_ticks": 4000,
        "take_profit_ticks": 4000,
    }
    for _ in range(100):
        try:
            answer = requests.post(url, json=alert, timeout=5)
            if answer.status_code == 202:
                return str(answer.json()["job_id"])
        except requests.RequestException:
            pass
        time.sleep(0.2)
    return None


def kill_in_turn(stack: Stack, how: signal.Signals, done: threading.Event, killed: Counter[str]) -> None:
    """End one program after another, until done."""
    dice = random.Random()
    turn: list[str] = []
    while not done.wait(dice.uniform(0.5, 2.0)):
        turn = turn or dice.sample([*VICTIMS, BROKER], len(VICTIMS) + 1)
        victim = turn.pop()
        if victim == BROKER:
            killed[victim] += stack.broker.end(how)
        for program in stack.written()["programs"]:
            if program["name"] == victim and program["pid"]:
                try:
                    os.kill(program["pid"], how if victim != "postgres" else IN_HASTE[how])
                    killed[victim] += 1
                except ProcessLookupError:
                    pass


HANGING = """
    SELECT orders.state, orders.reason, orders.submitted_at, job.name, job.state, job.attempt, job.error
    FROM orders LEFT JOIN job USING (correlation_id)
    WHERE orders.state IN ('INTENDED', 'SUBMITTING', 'UNKNOWN') ORDER BY orders.id, job.id LIMIT 40
"""


@pytest.fixture(scope="module")
def running(stack: Stack) -> Stack:
    stack.up("--limits", "off")
    return stack


@pytest.mark.chaos
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to end"])
def test_every_accepted_alert_is_one_job_in_one_end_and_one_order(running: Stack, how: signal.Signals) -> None:
    stack = running
    url = stack.hook(how.name)
    eventually("the account is reconciled", lambda: stack.rows("SELECT 1 FROM account WHERE reconciled_at IS NOT NULL"))
    accepted: dict[int, str] = {}
    done = threading.Event()
    killed: Counter[str] = Counter()

    killer = threading.Thread(target=kill_in_turn, args=(stack, how, done, killed))
    killer.start()
    senders = []

    def post(number: int) -> None:
        job = send(url, number)
        if job is not None:
            accepted[number] = job

    for number in range(ALERTS):
        sender = threading.Thread(target=post, args=(number,))
        sender.start()
        senders.append(sender)
        stack.broker.keep()
        time.sleep(1 / PER_SECOND)
    for sender in senders:
        sender.join()
    done.set()
    killer.join()
    stack.broker.keep_until_it_answers()
    stack.wait_until_running()

    assert ALERTS == len(accepted)
    assert ALERTS == len(set(accepted.values()))
    eventually(
        "every job of an alert has ended",
        lambda: all(state in TERMINAL for _, state in jobs(stack, accepted)),
        timeout=240,
    )
    eventually(
        "no order hangs",
        lambda: not stack.rows("SELECT 1 FROM orders WHERE state IN ('INTENDED', 'SUBMITTING', 'UNKNOWN')"),
        timeout=120,
        explain=lambda: stack.rows(HANGING),
    )
    ends = Counter(state for _, state in jobs(stack, accepted))
    at_venue = Counter(tag for tag in entries_at_venue(stack) if tag)
    eventually(
        "every fill at the venue is known here",
        lambda: set(at_venue) <= filled_here(stack),
        timeout=120,
        explain=lambda: stack.rows("SELECT state, count(*) FROM orders WHERE role = 'ENTRY' GROUP BY state"),
    )
    placed = filled_here(stack)
    print(f"\n{how.name} {dict(killed)}; jobs {dict(ends)}; entries filled {len(placed)}; at the venue {len(at_venue)}")

    assert placed == set(at_venue)
    assert set() == {tag for tag, count in at_venue.items() if count > 1}
    entries = stack.rows("SELECT count(*), count(DISTINCT correlation_id) FROM orders WHERE role = 'ENTRY'")
    assert entries[0][0] == entries[0][1], "one alert became two orders"


def jobs(stack: Stack, accepted: dict[int, str]) -> list[tuple[str, str]]:
    return stack.rows(  # type: ignore[return-value]
        "SELECT id::text, state FROM job WHERE id = ANY(%s::uuid[])", list(accepted.values())
    )


def filled_here(stack: Stack) -> set[str]:
    """The tags of all filled entries that we know."""
    return {
        row[0] for row in stack.rows("SELECT client_order_id FROM orders WHERE role = 'ENTRY' AND state = 'FILLED'")
    }


def entries_at_venue(stack: Stack) -> list[str]:
    """The tags of all filled entries the simulator knows, legs left out."""
    account = stack.rows("SELECT id FROM account")[0][0]
    found = stack.at_venue("/api/Order/search", accountId=account, startTimestamp="2000-01-01T00:00:00Z")["orders"]
    return [
        order["customTag"] or ""
        for order in found
        if order["status"] == 2 and order["parentOrderId"] is None and order["type"] == 2
    ]
