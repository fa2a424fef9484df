"""A whole stack as a trader sees it: started, used, broken on purpose, stopped."""

import json
import os
import re
import signal
import stat
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis
import requests

from shared.fleets import FLEETS
from tests.fixtures.rabbitmq import is_wanted
from tests.fixtures.stack import ALERT, Stack, eventually

PROGRAMS = {"postgres", "valkey", "simulator", "feed", "receiver", "beat", "relay", "flower"} | {
    "risk-monitor", "worker-direct", *(fleet.program for fleet in FLEETS)
}  # fmt: skip

pytestmark = pytest.mark.timeout(900)  # it starts a dozen programs, again and again


@pytest.fixture(scope="module")
def running(stack: Stack) -> Stack:
    stack.up()
    return stack


@pytest.fixture(scope="module")
def hook(running: Stack) -> str:
    url = running.hook()
    running.loosen_rules()  # the rules would deny the tests' many alerts in one direction
    return url


ORDERS = """
    SELECT role, side, quantity, filled_quantity, state, origin, reason, created_at FROM orders ORDER BY id
"""


def post_alert(hook: str, **more: object) -> str:
    answer = requests.post(hook, json=ALERT | {"stop_loss_ticks": 400, "take_profit_ticks": 400} | more, timeout=60)
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["job_id"])


def send_or_none(hook: str) -> str | None:
    """Post an alert; return its job, or None when it was not accepted and left nothing behind."""
    answer = requests.post(hook, json=ALERT | {"stop_loss_ticks": 400, "take_profit_ticks": 400}, timeout=60)
    return str(answer.json()["job_id"]) if answer.status_code == requests.codes.accepted else None


def test_every_program_runs_and_the_addresses_work(running: Stack) -> None:
    status = running.status()

    assert status is not None
    assert dict.fromkeys(PROGRAMS, "running") == {one["name"]: one["state"] for one in status["programs"]}
    assert {"receiver", "flower", "simulator", "simulator-control", "database", "redis", "cache"} == set(status["urls"])
    with psycopg.connect(status["urls"]["database"]) as connection:
        assert (1,) == connection.execute("SELECT 1").fetchone()
    with redis.Redis.from_url(status["urls"]["redis"]) as client:
        assert client.ping()
    (memory,) = status["memory"]
    assert 0 < memory["used_bytes"] < memory["bound_bytes"]
    assert re.search(r"Memory of .*cache: [0-9.]+ MB of [0-9]+ MB, noeviction", running.run("status").stdout)
    for url in (f"{status['urls']['flower']}/", status["urls"]["simulator-control"]):
        assert 200 == requests.get(url, timeout=60).status_code


def test_up_and_doctor_say_whether_the_computer_may_fall_asleep(running: Stack) -> None:
    eventually("the system has answered", lambda: running.written()["sleep"]["state"] in {"held", "failed"})
    is_held = running.written()["sleep"]["state"] == "held"
    checks = {one["name"]: one for one in json.loads(running.run("doctor", "--json").stdout)["checks"]}

    assert ("fine" if is_held else "warning") == checks["sleep"]["state"]
    assert is_held or "Note: this computer may fall asleep" in running.log.read_text()


def test_status_and_metrics_show_the_health_of_the_feed(running: Stack) -> None:
    def is_fed() -> bool:
        feed = (running.status() or {}).get("feed")
        return feed is not None and bool(feed["contracts"]) and feed["user"]["is_subscribed"]

    eventually("both hubs are subscribed", is_fed)
    assert "Feed: active; market hub subscribed" in running.run("status").stdout
    assert "Feed: active" in running.run("metrics").stdout


def test_what_the_computer_each_program_and_the_feed_need_is_recorded(running: Stack) -> None:
    recorded = "SELECT DISTINCT split_part(source, '/', 2) FROM gauge_rollup WHERE kind = 'program'"
    eventually("every program", lambda: {(name,) for name in PROGRAMS} == set(running.rows(recorded)))
    kinds = {("budget",), ("feed",), ("host",), ("monitor",), ("program",)}
    eventually("every kind", lambda: kinds == set(running.rows("SELECT DISTINCT kind FROM gauge_rollup")))
    shown = running.run("metrics", "--section", "system").stdout

    assert "Programs with their child processes, mean and most, last 1h" in shown
    assert all(name in shown for name in PROGRAMS)
    assert "not recorded" not in running.log.read_text()


def test_an_alert_becomes_an_order_with_its_stop_a_fill_and_a_position(running: Stack, hook: str) -> None:
    job = post_alert(hook)
    assert "succeeded" == running.wait_for_end(job), running.job(job)
    # Of this alert only: the strategy may trade in the same minute.
    of_this_alert = f"correlation_id = (SELECT correlation_id FROM job WHERE id = '{job}')"
    eventually(
        "the entry is filled here, and its legs work",
        lambda: (
            [("ENTRY", "FILLED"), ("STOP_LOSS", "WORKING"), ("TAKE_PROFIT", "WORKING")]
            == running.rows(f"SELECT role, state FROM orders WHERE {of_this_alert} ORDER BY role")
        ),
    )

    assert [(1,)] == running.rows(
        f"SELECT fill.quantity FROM fill JOIN orders ON orders.id = order_id WHERE {of_this_alert}"
    )
    eventually(
        "position here and at the venue alike",
        lambda: read_positions(running) and read_positions(running) == read_venue_positions(running),
        explain=lambda: (read_positions(running), read_venue_positions(running), running.rows(ORDERS)),
    )
    shown = running.run(
        "db", "psql", "-At", "-c", f"SELECT state FROM orders WHERE role = 'ENTRY' AND {of_this_alert}"
    ).stdout
    assert "FILLED" == shown.strip()


def list_secrets(stack: Stack) -> list[str]:
    kept: dict[str, str] = json.loads((stack.home / "secrets.json").read_text())
    return [*kept.values(), *([urlsplit(stack.broker.url).password or ""] if is_wanted() else [])]


def read_positions(stack: Stack) -> list[tuple[Any, ...]]:
    found = "SELECT contract_id, direction, quantity FROM position WHERE quantity > 0 ORDER BY contract_id"
    return stack.rows(found)


def read_venue_positions(stack: Stack) -> list[tuple[Any, ...]]:
    account = stack.rows("SELECT id FROM account")[0][0]
    positions = stack.at_venue("/api/Position/searchOpen", accountId=account)["positions"]
    directions = {1: "LONG", 2: "SHORT"}
    return sorted((one["contractId"], directions[one["type"]], one["size"]) for one in positions)


def test_bars_flow_and_strategies_are_evaluated(running: Stack) -> None:
    eventually("bars", lambda: running.rows("SELECT 1 FROM bars WHERE timeframe = '1m' LIMIT 1"))
    eventually(
        "an evaluation",
        lambda: running.rows("SELECT 1 FROM job WHERE name = 'strategies.evaluate_strategy' AND state = 'succeeded'"),
    )


def test_flower_runs_at_a_lower_priority_than_trading(running: Stack) -> None:
    assert 10 == psutil.Process(running.pid_of("flower")).nice() - psutil.Process(running.pid).nice()
    assert psutil.Process(running.pid).nice() == psutil.Process(running.pid_of("worker-critical")).nice()


def test_flower_shows_the_workers_and_refuses_commands(running: Stack) -> None:
    status = running.status()
    assert status is not None
    flower = status["urls"]["flower"]
    page = eventually(
        "every fleet in Flower",
        lambda: (
            (text := requests.get(f"{flower}/workers?json=1", timeout=60).text)
            and all(f"{fleet.name}@" in text for fleet in FLEETS)
            and text
        ),
    )

    assert all(f"{fleet.name}@" in page for fleet in FLEETS)
    worker = next(one["hostname"] for one in json.loads(page)["data"])
    refused = requests.post(f"{flower}/api/worker/shutdown/{worker}", timeout=60)
    assert 405 == refused.status_code
    for path in ("/", "/broker", f"/worker/{worker}", "/tasks"):
        page = requests.get(f"{flower}{path}", timeout=60).text
        assert not [secret for secret in list_secrets(running) if secret in page]


def test_one_program_is_restarted_when_asked(running: Stack) -> None:
    before = {one["name"]: one["pid"] for one in running.written()["programs"]}
    found = json.loads(running.run("restart", "worker-bulk", "--json").stdout)

    after = {one["name"]: one["pid"] for one in running.written()["programs"]}
    assert (before["worker-bulk"], after["worker-bulk"]) == (found["pid_before"], found["pid"])
    assert {"worker-bulk"} == {name for name, pid in after.items() if pid != before[name]}


def test_the_console_shows_what_matters_and_the_logs_the_rest(running: Stack) -> None:
    console = running.log.read_text()

    assert all(f"{name} is ready\n" in console for name in PROGRAMS)
    assert "alert     hook test: BUY 1 MNQ " in console
    assert "filled    BUY 1 MNQ " in console
    assert " INFO " not in console
    assert " INFO " in running.run("logs", "receiver").stdout


def test_a_second_up_names_the_process_of_the_first(running: Stack) -> None:
    second = running.run("up", check=False)

    assert 1 == second.returncode
    assert f"process {running.pid}" in second.stderr


def test_no_secret_is_in_a_command_line_a_log_or_a_file_that_others_can_read(running: Stack) -> None:
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    logs = "\n".join(file.read_text() for file in (running.home / "logs").iterdir()) + running.log.read_text()

    for secret in list_secrets(running):
        assert not any(secret in line for line in lines)
        assert secret not in logs
    for name in ("secrets.json", "state.json"):
        assert 0o600 == stat.S_IMODE((running.home / name).stat().st_mode)


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_a_killed_program_is_restarted_and_work_continues(running: Stack, hook: str, program: str) -> None:
    pid = running.pid_of(program)
    os.kill(pid, signal.SIGKILL)
    eventually(f"{program} is another process", lambda: running.pid_of(program) not in {pid, None})
    running.wait_until_running()

    # The receiver may not have noticed the restart yet.
    job = eventually("an alert is accepted", lambda: send_or_none(hook))
    assert "succeeded" == running.wait_for_end(job), running.job(job)


def test_a_state_that_cannot_be_written_stops_no_program_and_is_written_later(running: Stack) -> None:
    obstacle = running.home / ".state.json.new"  # stands for a full disk: the new state cannot be written
    before = running.written()["programs"]
    pid = running.pid_of("beat")
    obstacle.mkdir()
    os.kill(pid, signal.SIGKILL)
    said = f"{running.home / 'state.json'} cannot be written"
    eventually("it is said", lambda: said in running.log.read_text())
    assert before == running.written()["programs"]
    obstacle.rmdir()
    eventually("the new process is in the state", lambda: running.pid_of("beat") != pid)
    running.wait_until_running()

    assert 1 == running.log.read_text().count(said)
    others = {one["name"]: one["pid"] for one in before if one["name"] != "beat"}
    assert others == {one["name"]: one["pid"] for one in running.written()["programs"] if one["name"] != "beat"}


def test_a_job_that_outlasts_the_shutdown_is_released_uncounted(running: Stack) -> None:
    claims = "SELECT attempt, claim_id FROM job WHERE name = 'upkeep.do_nothing' AND state = 'running'"
    running.rows(
        "INSERT INTO job (id, name, queue, arguments, max_attempts, correlation_id, sequence_id) "
        "VALUES (gen_random_uuid(), "
        "'upkeep.do_nothing', 'background', '{\"seconds\": 600}', 3, gen_random_uuid(), gen_random_uuid()) RETURNING id"
    )
    ((_, first_claim),) = eventually("the long job runs", lambda: running.rows(claims))
    down = running.run("down", timeout=120)  # far less than the job takes

    assert "stopped after" in down.stdout
    nothing = running.run("status", check=False)
    assert (3, True) == (nothing.returncode, "No stack runs" in nothing.stdout)
    status_when_down = json.loads(running.run("status", "--json", check=False).stdout)
    assert {("stopped", None)} == {(one["state"], one["pid"]) for one in status_when_down["programs"]}
    running.up()
    ((attempt, claim),) = eventually("the long job runs again", lambda: running.rows(claims))
    assert 1 == attempt
    assert claim != first_claim


def test_a_killed_up_leaves_no_orphan_and_the_next_one_loses_nothing(running: Stack, hook: str) -> None:
    family = psutil.Process(running.pid).children(recursive=True)
    accepted = [post_alert(hook, id=f"before the end {number}") for number in range(5)]
    running.kill()
    gone, alive = psutil.wait_procs(family, timeout=60)

    assert [] == [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert gone or not alive
    running.up()
    assert {"succeeded"} == {running.wait_for_end(job) for job in accepted}
    ended = running.run("status", "--json")
    assert all(one["state"] == "running" for one in json.loads(ended.stdout)["programs"])


def test_a_stopped_up_exits_cleanly_and_leaves_no_process(running: Stack) -> None:
    family = psutil.Process(running.pid).children(recursive=True)

    assert 0 == running.stop()
    assert [] == psutil.wait_procs(family, timeout=60)[1]
