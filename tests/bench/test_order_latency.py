"""The time from an alert to its order at the venue, beside a handler that calls the venue, and from a halt to flat."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
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
# In turns with the control, so one every half second: all jobs of an order have ended before the next one comes.
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


@pytest.fixture(scope="module")
def control(running: Stack) -> Iterator[str]:
    """The URL of a web handler that calls the venue itself, for an account of its own."""
    port = free_port()
    ((contract_id,),) = running.rows(CONTRACT)
    account_id = running.rows("SELECT max(id) FROM account")[0][0]
    env = environment() | running.written()["environment"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fixtures.direct", str(port), contract_id, str(account_id)],
        env=env,
        preexec_fn=tie_to_us(signal.SIGKILL),  # noqa: PLW1509  # it only calls prctl
    )
    url = f"http://127.0.0.1:{port}/"

    def is_answering() -> bool:
        try:
            return requests.get(url, timeout=1).status_code == 405
        except requests.RequestException:
            return False

    until(is_answering, 30, "the control's start")
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


def post_in_turns(stack: Stack, hook: str, control: str, alerts: int = ALERTS) -> tuple[list[float], list[float]]:
    """Post to ours and to the control in turns; return, for each, the ms from every post to its order."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(alerts // ROUND):
        for all_of, some in zip((ours, theirs), _post_round(stack, hook, control), strict=True):
            all_of.extend(some)
        stack.flatten()
        time.sleep(1)
    return ours, theirs


def _post_round(stack: Stack, hook: str, control: str) -> tuple[list[float], list[float]]:
    ours_id = stack.rows("SELECT min(id) FROM account")[0][0]
    control_id = stack.rows("SELECT max(id) FROM account")[0][0]
    before = len(list_entry_times(stack, ours_id)), len(list_entry_times(stack, control_id))
    http = requests.Session()
    posted: tuple[list[float], list[float]] = ([], [])
    for number in range(2 * ROUND):
        which = number % 2
        body = ALERT | {"stop_loss_ticks": 4000, "take_profit_ticks": 4000}
        began = time.time()
        posted[which].append(began)
        answer = http.post((hook, control)[which], json=body, timeout=10)
        assert answer.status_code in {200, 202}, answer.text
        time.sleep(max(0.0, began + 1 / (2 * PER_SECOND) - time.time()))

    def list_arrivals() -> tuple[list[datetime], list[datetime]]:
        return list_entry_times(stack, ours_id)[before[0] :], list_entry_times(stack, control_id)[before[1] :]

    ends = "SELECT state, left(error, 200), count(*) FROM job WHERE name = 'alerts.handle_alert' GROUP BY 1, 2"
    eventually(
        "every order is at the venue",
        lambda: all(len(one) == ROUND for one in list_arrivals()),
        60,
        lambda: (list(map(len, list_arrivals())), stack.rows(ends)),
    )
    ours, theirs = (
        [(at.timestamp() - began) * 1000 for at, began in zip(arrived, sent, strict=True)]
        for arrived, sent in zip(list_arrivals(), posted, strict=True)
    )
    return ours, theirs


def report(name: str, ours: list[float], theirs: list[float]) -> None:
    print(f"\n{name}: POST to order accepted by the venue, {len(ours)} each, in turns, {PER_SECOND} a second each")
    for label, values in (("alert", ours), ("control: the handler calls the venue", theirs)):
        print(f"  {label:40} p50 {percentile(values, 50):7.1f} ms   p99 {percentile(values, 99):7.1f} ms")
    for percent in (50, 99):
        ratio = percentile(ours, percent) / percentile(theirs, percent)
        print(f"  ratio p{percent}: {ratio:.2f} x (target: 3 x at p99, and 20 ms)")


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_alert_to_order_idle_and_while_low_and_background_are_saturated(
    running: Stack, control: str, capsys: pytest.CaptureFixture[str]
) -> None:
    account_id = running.rows("SELECT min(id) FROM account")[0][0]
    done = running.run("hooks", "add", "latency", "--account", str(account_id), "--json")
    hook = done.stdout.split('"')[3]
    warm = post_in_turns(running, hook, control, 3 * ROUND)
    idle = post_in_turns(running, hook, control)
    saturate(running)
    busy = post_in_turns(running, hook, control)
    ((waiting,),) = running.rows("SELECT count(*) FROM job WHERE queue IN ('low', 'background') AND state = 'queued'")
    with capsys.disabled():
        report("warming up", *warm)
        report("idle", *idle)
        report("low and background saturated", *busy)
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
