"""The time from an alert to its order at the venue, beside a handler that calls the venue, and from a halt to flat."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import requests

from cli.local.processes.program import tie_to_us
from shared.config import environment, load_settings
from shared.db.engine import make_engine
from shared.fleets import Queue
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.ledger import Ledger
from shared.ledger.publisher import open_publisher
from tests.fixtures.figures import percentile
from tests.fixtures.processes import free_port, until
from tests.fixtures.stack import ALERT, Stack, eventually

ALERTS = 100
# In turns, so one every half second: all jobs of an order have ended before the next one comes.
PER_SECOND = 1
# After each round all is flattened, so that no account holds more than the firm's maximum, fifteen contracts.
ROUND = 10
SYMBOLS = ("MNQ", "MES", "M2K")
CONTRACT = "SELECT id FROM contract WHERE root = 'MNQ' AND is_active"
_ORDERS = "/api/Order/search"


@pytest.fixture(scope="module")
def running(stack: Stack) -> Stack:
    """A stack of five accounts without request limits, whose rules allow the orders of the bench."""
    stack.env["TICKWORK_CONTRACTS"] = ",".join(SYMBOLS)
    stack.up("--limits", "off")
    for _ in range(4):
        stack.control("POST", "accounts", {"stage": "practice", "size": 150000, "balance": 150000})
    ready = "SELECT id FROM account WHERE reconciled_at IS NOT NULL"
    eventually("five accounts are reconciled", lambda: len(stack.rows(ready)) == 5, 120)
    stack.loosen_rules()
    return stack


@dataclass(frozen=True, slots=True)
class Target:
    """What alerts are posted to, and the account on which it places their orders."""

    name: str
    url: str
    account_id: int


@pytest.fixture(scope="module")
def targets(running: Stack) -> Iterator[list[Target]]:
    """Ours, a web handler that calls the venue itself, and the prototype of an entry process."""
    ours, prototyped, *_, direct = (row[0] for row in running.rows("SELECT id FROM account ORDER BY id"))
    hooks = {}
    for account_id in (ours, prototyped):
        done = running.run("hooks", "add", f"latency-{account_id}", "--account", str(account_id), "--json")
        hooks[account_id] = done.stdout.split('"')[3]
    ((hook_id,),) = running.rows("SELECT id FROM hook WHERE account_id = %s", prototyped)
    ((contract_id,),) = running.rows(CONTRACT)
    with (
        serve(running, "tests.fixtures.direct", contract_id, str(direct)) as control,
        serve(running, "tests.fixtures.entry_process", str(hook_id), str(prototyped)) as prototype,
    ):
        yield [
            Target("alert", hooks[ours], ours),
            Target("control: the handler calls the venue", control, direct),
            Target("prototype: an entry process", prototype, prototyped),
        ]


@contextmanager
def serve(stack: Stack, module: str, *arguments: str) -> Iterator[str]:
    """Start a web handler with the stack's settings; yield its URL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(port), *arguments],
        env=environment() | stack.written()["environment"],
        preexec_fn=tie_to_us(signal.SIGKILL),  # noqa: PLW1509  # it only calls prctl
    )
    url = f"http://127.0.0.1:{port}/"

    def is_answering() -> bool:
        try:
            return requests.get(url, timeout=1).status_code == 405
        except requests.RequestException:
            return False

    until(is_answering, 60, f"the start of {module}")
    yield url
    process.terminate()
    process.wait(10)


def list_entry_times(stack: Stack, account_id: int) -> list[datetime]:
    """Return the times at which the account's entries were accepted, in machine time, oldest first."""
    ((machine, market),) = stack.rows("SELECT machine_origin_at, market_origin_at FROM market_clock")
    orders = stack.at_venue(_ORDERS, accountId=account_id, startTimestamp="2000-01-01T00:00:00Z")["orders"]
    entries = [row for row in orders if row["type"] == 2 and row["customTag"]]
    created = sorted(datetime.fromisoformat(row["creationTimestamp"]) for row in entries)
    return [machine + (at - market) for at in created]


def post_in_turns(stack: Stack, targets: list[Target], alerts: int = ALERTS) -> list[list[float]]:
    """Post to the targets in turns; return, for each, the ms from every post to its order."""
    found: list[list[float]] = [[] for _ in targets]
    for _ in range(alerts // ROUND):
        for all_of, some in zip(found, _post_round(stack, targets), strict=True):
            all_of.extend(some)
        stack.flatten()
        time.sleep(1)
    return found


def _post_round(stack: Stack, targets: list[Target]) -> list[list[float]]:
    before = [len(list_entry_times(stack, target.account_id)) for target in targets]
    http = requests.Session()
    posted: list[list[float]] = [[] for _ in targets]
    for number in range(len(targets) * ROUND):
        which = number % len(targets)
        body = ALERT | {"stop_loss_ticks": 4000, "take_profit_ticks": 4000}
        began = time.time()
        posted[which].append(began)
        answer = http.post(targets[which].url, json=body, timeout=10)
        assert answer.status_code in {200, 202}, answer.text
        time.sleep(max(0.0, began + 1 / (2 * PER_SECOND) - time.time()))

    def list_arrivals() -> list[list[datetime]]:
        entries = [list_entry_times(stack, target.account_id) for target in targets]
        return [one[count:] for one, count in zip(entries, before, strict=True)]

    ends = "SELECT state, left(error, 200), count(*) FROM job WHERE name = 'alerts.handle_alert' GROUP BY 1, 2"
    eventually(
        "every order is at the venue",
        lambda: all(len(one) == ROUND for one in list_arrivals()),
        60,
        lambda: (list(map(len, list_arrivals())), stack.rows(ends)),
    )
    return [
        [(at.timestamp() - began) * 1000 for at, began in zip(arrived, sent, strict=True)]
        for arrived, sent in zip(list_arrivals(), posted, strict=True)
    ]


def report(name: str, targets: list[Target], found: list[list[float]]) -> None:
    """Print the times of each target, and how often longer they are than the control's, the second."""
    print(f"\n{name}: POST to order accepted by the venue, {len(found[0])} each, in turns, two a second")
    control = found[1]
    for target, values in zip(targets, found, strict=True):
        ratios = [percentile(values, percent) / percentile(control, percent) for percent in (50, 99)]
        times = f"p50 {percentile(values, 50):7.1f} ms   p99 {percentile(values, 99):7.1f} ms"
        print(f"  {target.name:40} {times}   {ratios[0]:5.2f} x {ratios[1]:5.2f} x (target: 3 x, 3 x)")


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_alert_to_order_idle_and_while_low_and_background_are_saturated(
    running: Stack, targets: list[Target], capsys: pytest.CaptureFixture[str]
) -> None:
    warm = post_in_turns(running, targets, 3 * ROUND)
    idle = post_in_turns(running, targets)
    saturate(running)
    busy = post_in_turns(running, targets)
    ((waiting,),) = running.rows("SELECT count(*) FROM job WHERE queue IN ('low', 'background') AND state = 'queued'")
    with capsys.disabled():
        report("warming up", targets, warm)
        report("idle", targets, idle)
        report("low and background saturated", targets, busy)
        print(f"  {waiting} jobs of a second each still waited in them at the end; load {os.getloadavg()[0]:.1f}")

    assert waiting > 0


def saturate(stack: Stack) -> None:
    """Enqueue more low and background jobs than their eight slots can run in the time."""
    settings = load_settings(environment() | stack.written()["environment"])
    ledger = Ledger(
        make_engine(settings.require_database(), program="bench", pool_size=1),
        open_publisher(settings.require_broker()),
    )
    for number in range(2_000):
        ledger.enqueue(DoNothing(note=f"bench {number}", seconds=1), queue=(Queue.LOW, Queue.BACKGROUND)[number % 2])
    ledger.close()


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_halt_to_flat_of_five_accounts_with_three_positions_each(
    running: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    account_ids = [row[0] for row in running.rows("SELECT id FROM account ORDER BY id")]
    running.flatten()
    for account_id in account_ids:
        done = running.run("hooks", "add", f"flat-{account_id}", "--account", str(account_id), "--json")
        for symbol in SYMBOLS:
            alert: dict[str, Any] = ALERT | {"symbol": symbol, "stop_loss_ticks": 400, "take_profit_ticks": 400}
            assert requests.post(done.stdout.split('"')[3], json=alert, timeout=10).status_code == 202
    held = "SELECT account_id FROM position WHERE quantity > 0"
    eventually("fifteen positions are held", lambda: len(running.rows(held)) == 15, 60, lambda: running.rows(held))
    eventually("each has its stop", lambda: not running.rows("SELECT 1 FROM fill WHERE guarded_at IS NULL"))
    began = time.time()
    running.run("halt", "bench", "--flatten", "--yes")
    took_s = time.time() - began
    flat = running.rows(
        "SELECT extract(epoch FROM flat_at - requested_at) FROM flatten_request "
        "WHERE reason LIKE '%%bench' ORDER BY flat_at"
    )[-5:]
    at_the_venue = [running.at_venue("/api/Position/searchOpen", accountId=id_)["positions"] for id_ in account_ids]
    with capsys.disabled():
        slowest, fastest = max(float(row[0]) for row in flat), min(float(row[0]) for row in flat)
        print("\nhalt to flat, 5 accounts with 3 positions each, until the venue confirms it:")
        print(f"  fastest account {fastest:.2f} s, slowest {slowest:.2f} s")
        print(f"  the command `tickwork halt --flatten` itself, start of Python included: {took_s:.2f} s")

    assert [[]] * 5 == at_the_venue
