"""Alerts on five accounts while answers, events, quotes, workers and Redis are lost: each order once, guarded, booked.

Market time runs with the machine here; its steps are in test_random_trading.py.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import psutil
import pytest
import requests

from shared.config import environment
from tests.fixtures.both_states import list_differences, read_our_state, read_venue_state
from tests.fixtures.chaos_form import ALERT_STATES, ENTRY_TTL_S, IS_LONG, UNRESOLVED
from tests.fixtures.processes import TERMINAL
from tests.fixtures.stack import ALERT, Stack, eventually
from tests.fixtures.unprotected_watch import UnprotectedWatch

ALERTS = 1_000 if IS_LONG else 16
PACED = 100
ACCOUNTS = 5 if IS_LONG else 2
PER_SECOND = 3.0 if IS_LONG else 6.0
KILL_AFTER_S = (2.0, 6.0) if IS_LONG else (0.5, 1.5)
# The long form measures the time that is promised; the short one checks that a stop comes, however slow the machine is.
UNPROTECTED_AT_MOST_S = 2.0 if IS_LONG else 30.0
BARE_AT_MOST_S = 0.0 if IS_LONG else 30.0
FILLED_AT_LEAST = ALERTS // 3 if IS_LONG else 1
CLOSE = "/api/Position/closeContract"
MUTATIONS = ("/api/Order/place", "/api/Order/cancel", "/api/Order/modify", CLOSE)
FAULTS: list[dict[str, Any]] = [
    fault | {"on": path}
    for path in MUTATIONS
    for fault in (
        {"kind": "lose_answer_after", "probability": 0.05},
        {"kind": "lose_before", "probability": 0.03},
        {"kind": "status", "status": 500, "probability": 0.04},
        {"kind": "duplicate", "probability": 0.02},
        {"kind": "delay", "seconds": 7, "probability": 0.005},  # our client times out after six
        {"kind": "delay", "seconds": 0.5, "probability": 0.05},
    )
    # Two arrivals of one close, which has no tag, reverse the position at the venue whatever its sender does.
    if (path, fault["kind"]) != (CLOSE, "duplicate")
] + [
    {"kind": "hub_drop", "probability": 0.1},
    {"kind": "event_lost", "probability": 0.05},  # of orders, fills and balances
    {"kind": "event_late", "seconds": 1, "probability": 0.05},
    {"kind": "event_duplicate", "probability": 0.05},
    {"kind": "event_reorder", "probability": 0.05},
    {"kind": "quote_gap", "seconds": 3, "probability": 0.1},
    {"kind": "partial_fill", "seconds": 0.5, "probability": 0.1},
]
ENDS = "SELECT state, left(error, 120), count(*) FROM job WHERE name = 'alerts.handle_alert' GROUP BY 1, 2 ORDER BY 3"
UNRESOLVED_ORDERS = f"SELECT account_id, state, role, reason FROM orders WHERE {UNRESOLVED}"
BUSY = (
    "SELECT name, state, attempt, left(error, 200) FROM job WHERE queue = 'critical' "
    "AND state IN ('queued', 'running') LIMIT 20"
)
SENT = """
    SELECT client_order_id, state, venue_order_id FROM orders
    WHERE submitted_at IS NOT NULL AND client_order_id LIKE 'tw-%%'
"""
_NEAR = "account_id = %s AND contract_id = %s AND {} BETWEEN to_timestamp(%s - 10) AND to_timestamp(%s + 5)"
STORY = f"""
    SELECT created_at AS at, 'created', role, side, type, quantity, state, filled_quantity, right(id::text, 8), reason
    FROM orders WHERE {_NEAR.format("created_at")}
    UNION ALL
    SELECT recorded_at, 'fill', side, '', guarded_by, quantity, '', NULL, right(order_id::text, 8), guarded_at::text
    FROM fill WHERE {_NEAR.format("recorded_at")}
    UNION ALL
    SELECT change.created_at, 'change', change.kind, change.state, change.outcome, change.quantity, orders.role, NULL,
           right(order_id::text, 8), change.reason
    FROM order_change AS change JOIN orders ON orders.id = order_id WHERE {_NEAR.format("change.created_at")}
    ORDER BY 1
"""
GUARDED = """
    SELECT guarded_by, count(*), max(extract(epoch FROM guarded_at - recorded_at)) FROM fill GROUP BY 1 ORDER BY 2 DESC
"""


def open_accounts(stack: Stack) -> list[int]:
    """Open the accounts, wait until all are reconciled, and loosen their rules; return their ids."""
    for _ in range(ACCOUNTS - 1):
        stack.control("POST", "accounts", {"stage": "practice", "size": 150000, "balance": 150000})
    reconciled = "SELECT id FROM account WHERE reconciled_at IS NOT NULL ORDER BY id"
    eventually(f"{ACCOUNTS} accounts are reconciled", lambda: len(stack.rows(reconciled)) == ACCOUNTS, 120)
    stack.loosen_rules()  # a storm of denied orders would prove nothing
    return [row[0] for row in stack.rows(reconciled)]


def add_hooks(stack: Stack, account_ids: list[int], name: str) -> list[str]:
    """Add a hook for each account; return their URLs."""
    return [
        stack.run("hooks", "add", f"{name}-{id_}", "--account", str(id_), "--json").stdout.split('"')[3]
        for id_ in account_ids
    ]


def post(url: str, number: int, dice: random.Random) -> bool:
    """Post an alert until it is accepted, and sometimes once more, as a sender that missed the answer does."""
    action = dice.choice(("buy", "sell", "buy", "sell", "close"))
    alert = ALERT | {
        "id": f"storm-{number}", "action": action, "quantity": dice.choice((1, 1, 2, 3)),
        "stop_loss_ticks": dice.choice((60, 120, 400)), "take_profit_ticks": dice.choice((80, 400)),
    }  # fmt: skip
    for _ in range(200):
        with suppress(requests.RequestException):
            if requests.post(url, json=alert, timeout=5).status_code == 202:
                if dice.random() < 0.1:
                    requests.post(url, json=alert, timeout=5)
                return True
        time.sleep(0.1)
    return False


class Killer(threading.Thread):
    """Kills a pool child, a worker, Valkey or the feed every few seconds."""

    def __init__(self, stack: Stack, dice: random.Random) -> None:
        super().__init__(daemon=True)
        self.hit: Counter[str] = Counter()
        self._stack = stack
        self._dice = dice
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(self._dice.uniform(*KILL_AFTER_S)):
            kind = self._dice.choice(("pool child", "pool child", "worker", "valkey", "feed"))
            pids = {one["name"]: one["pid"] for one in self._stack.written()["programs"] if one["pid"]}
            name = kind if kind in {"valkey", "feed"} else self._dice.choice(("worker-critical", "worker-high"))
            with suppress(psutil.Error, OSError, KeyError, IndexError):  # there may be no such process at this moment
                victim = psutil.Process(pids[name])
                if kind == "pool child":
                    victim = self._dice.choice(victim.children())
                os.kill(victim.pid, signal.SIGKILL)
                self.hit[kind] += 1

    def finish(self) -> None:
        self._done.set()
        self.join(10)


def settle(stack: Stack, account_ids: list[int]) -> None:
    """Wait until every job and order has ended, then until each account's state equals the venue's."""
    stack.speed_up_schedules()
    eventually("every alert's job has ended", lambda: {row[0] for row in stack.rows(ALERT_STATES)} <= TERMINAL, 240)
    eventually(
        "every order is resolved", lambda: not stack.rows(UNRESOLVED_ORDERS), 240, lambda: stack.rows(UNRESOLVED_ORDERS)
    )
    eventually("every critical job has ended", lambda: not stack.rows(BUSY), 120, lambda: stack.rows(BUSY))
    for id_ in account_ids:
        wait_for_agreement(stack, id_)


def wait_for_agreement(stack: Stack, account_id: int) -> None:
    """Wait until our state of an account equals the venue's."""
    eventually(
        f"our state of account {account_id} equals the venue's",
        lambda: read_our_state(stack, account_id) == read_venue_state(stack, account_id),
        120,
        lambda: "\n".join(
            map(str, list_differences(read_our_state(stack, account_id), read_venue_state(stack, account_id)))
        ),
    )


def tell_stories(stack: Stack, watch: UnprotectedWatch) -> list[str]:
    """Return what our rows know of each contract found unprotected, from ten seconds before until five after."""
    return [
        " ".join(map(str, row))
        for (account_id, contract_id), seen_at in watch.found_at.items()
        for row in stack.rows(STORY, *[account_id, contract_id, seen_at, seen_at] * 3)
    ]


@pytest.fixture(scope="module")
def storm(stack: Stack) -> Stack:
    # On a slow computer alerts wait for others: these are to be traded, and not to expire.
    stack.env |= {"TICKWORK_CONTRACTS": "MNQ,MES", "TICKWORK_ENTRY_TTL": str(3 * ENTRY_TTL_S)}
    return stack


@pytest.mark.chaos
@pytest.mark.timeout(2400)
def test_complaint_1_every_created_order_is_at_the_venue_once_guarded_and_booked_to_the_cent(
    storm: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(environment().get("TICKWORK_SEED", "0")) or (random.randrange(10**6) if IS_LONG else 7)
    dice = random.Random(seed)
    storm.up("--limits", "off")
    account_ids = open_accounts(storm)
    urls = add_hooks(storm, account_ids, "storm")
    watch, killer = UnprotectedWatch(storm, account_ids), Killer(storm, random.Random(seed))
    storm.control("PUT", "behaviour", {"serialises_closes": False})
    storm.control("PUT", "faults", FAULTS)
    watch.start()
    killer.start()
    began = time.monotonic()
    accepted = 0
    for number in range(ALERTS):
        accepted += post(urls[number % ACCOUNTS], number, dice)
        time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
    took_s = time.monotonic() - began
    killer.finish()
    met = Counter({fault["kind"]: 0 for fault in FAULTS})
    for fault in storm.control("GET", "faults"):
        met[fault["kind"]] += fault["met"]
    storm.control("DELETE", "faults")
    settle(storm, account_ids)
    watch.finish()

    tags = Counter(storm.control("GET", "requests")["tags"])
    sent = storm.rows(SENT)
    states = Counter(state for _, state, _ in sent)
    with capsys.disabled():
        print(f"\norder storm, seed {seed}: {accepted} alerts on {ACCOUNTS} accounts in {took_s:.0f} s")
        print(f"faults met {met.total()}: {dict(met)}; kills {dict(killer.hit)}")
        twice = sum(count > 1 for count in tags.values())
        print(f"orders sent {len(sent)}: {dict(states)}; accepted by the venue {tags.total()}, twice {twice}")
        print(f"ends of alerts: {storm.rows(ENDS)}")
        guarded = [(how, count, round(float(longest or 0), 2)) for how, count, longest in storm.rows(GUARDED)]
        print(f"proof of a stop after the fill, how often and at most how late in s: {guarded}")
        checks = f"{watch.checks} checks, {watch.position_checks} of them with positions"
        longest = f"{watch.longest_s:.2f} s, without any: {watch.longest_bare_s:.2f} s"
        print(f"longest without a stop of the full size: {longest}, in {checks}")
        print(*watch.findings, *tell_stories(storm, watch), sep="\n")

    assert accepted == ALERTS
    assert {} == {tag: count for tag, count in tags.items() if count > 1}
    accepted_tags = {tag for tag, state, venue_id in sent if venue_id is not None and state != "REJECTED"}
    assert accepted_tags <= set(tags)
    assert not {tag for tag, _, _ in sent if tag not in accepted_tags} & set(tags)
    assert watch.longest_s <= UNPROTECTED_AT_MOST_S, watch.findings
    assert watch.longest_bare_s <= BARE_AT_MOST_S, watch.findings
    assert [] == storm.rows("SELECT 1 FROM fill WHERE guarded_at IS NULL")
    assert states["FILLED"] >= FILLED_AT_LEAST, storm.rows(ENDS)


@pytest.mark.chaos
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_paced_run_keeps_within_the_real_limits(storm: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """The short form is the trading day, which keeps within the limits too."""
    storm.stop()
    storm.up("--limits", "on")
    account_ids = [row[0] for row in storm.rows("SELECT id FROM account ORDER BY id")]
    eventually(
        "every account is reconciled",
        lambda: not storm.rows("SELECT 1 FROM account WHERE reconciled_at IS NULL"),
        120,
    )
    urls = add_hooks(storm, account_ids, "paced")
    dice = random.Random(7)
    for number in range(PACED):
        assert post(urls[number % ACCOUNTS], 10**6 + number, dice)
        time.sleep(4)
    settle(storm, account_ids)
    limited = storm.control("GET", "requests")["limited"]
    with capsys.disabled():
        print(f"\n{PACED} alerts, one each 4 s, on {ACCOUNTS} accounts of one credential: 429s {limited}")

    assert {} == limited
