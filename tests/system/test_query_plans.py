"""Every statement of the whole stack, on a database with the rows of years: none reads much of a big table.

The statements are those that the programs send while alerts are traded, each entry of the schedule runs and a person
types each listing: Postgres explains them as they run, also new ones. `make chaos` takes 10 million jobs.
"""

import re
from dataclasses import dataclass

import psycopg
import pytest
import requests

from tests.fixtures.chaos_form import IS_LONG
from tests.fixtures.many_rows import fill, years_of_rows
from tests.fixtures.processes import free_port
from tests.fixtures.query_plans import Scan, log_plans, read_scans
from tests.fixtures.stack import ALERT, Stack, eventually

JOBS = 10_000_000 if IS_LONG else 300_000
MOST_ROWS = 8_000  # more than a chunk of a deletion looks through, less than any big table
COMMANDS = (
    "status", "metrics", "doctor", "orders", "orders --state FILLED", "orders --account {account}", "trades",
    "trades stats", "positions", "accounts",
    "risk", "approvals", "strategies", "bars", "bars MNQ", "bars gaps", "alerts list", "alerts list --hook test",
    "alerts list --verdict refused", "hooks list", "tokens list", "jobs", "jobs dead", "jobs --state failed",
    "jobs --state succeeded",
    "jobs --state queued", "jobs --queue critical", "jobs --name orders.place_order", "jobs --name orders.flatten",
    "jobs requeue --all-dead --name no.such_job", "schedule list", "accounts audit", "accounts show {account}",
    "accounts audit {account}", "orders show {order}", "orders show {entry}", "alerts show {alert}", "jobs show {job}",
    "trace {alert}", "trace {entry}", "trace {job}",
    "flatten --yes",
)  # fmt: skip
MAY_FAIL = ("doctor", "jobs requeue --all-dead --name no.such_job")  # by this computer, or as there is none
NEWEST = """
    SELECT (SELECT min(id) FROM account), (SELECT id FROM orders ORDER BY id DESC LIMIT 1),
           (SELECT id FROM orders WHERE role = 'ENTRY' ORDER BY id DESC LIMIT 1),
           (SELECT id FROM alert ORDER BY id DESC LIMIT 1),
           (SELECT id FROM job WHERE name = 'alerts.handle_alert' ORDER BY id DESC LIMIT 1)
"""
# Part of a statement that may read more, and why.
MAY_READ_MORE = {
    "FROM round_trip ORDER BY round_trip.closed_market_at, ": "`trades stats` without `--since` sums up every trade",
    "FROM worker GROUP BY fleet": "it has a row for each start of a program in a week",
    "FROM queue_now": "it counts the backlog, in the index of what is queued",
    "FROM metric_rollup WHERE span = 'day'": "the days that have ended are added up once a day",
    "SELECT queue, count(*) AS queued FROM job": "it counts the backlog, in the index of what is queued",
    "FROM job WHERE state = 'queued'": "it counts the backlog, in the index of what is queued",
    "WHERE state = 'queued' AND greatest(": "after a clock that was set back, the backlog is set right",
    "FROM job WHERE state = 'dead'": "it counts or requeues all that is dead, by the index of what ended badly",
    "job.name IN (": "`jobs` lists the newest of the backlog, in the index of what is queued",
    "WHERE alert.verdict": "`alerts --verdict` searches the newest 100,000 alerts",
    "SELECT DISTINCT trading_day_at(start) FROM bar_minute": "old rows are packed, and for that read once",
    "string_agg(int4send": "the bars of a span, which are a few days of rows, come as one value",
}
CONTROL = "SELECT count(*) FROM job WHERE error = 'no index has the errors'"
# Tables of a few rows, some of which change each second, and the share of updates that stay in place.
IN_PLACE = ("account", "account_watch", "position", "queue_state", "risk_monitor", "schedule", "worker")
LEAST_IN_PLACE = 0.8  # a long transaction keeps a page from being cleaned


@dataclass(frozen=True, slots=True)
class Observed:
    """What Postgres told of a run: its scans, how many rows each table had, and each table's updates."""

    scans: list[Scan]
    rows: dict[str, int]
    updates: dict[str, tuple[int, int]]  # of all, and of those in place


@pytest.fixture(scope="module")
def observed(stack: Stack) -> Observed:
    stack.env["TICKWORK_PROMETHEUS_PORT"] = str(free_port())
    stack.env["TICKWORK_TRACES_URL"] = f"http://127.0.0.1:{free_port()}/v1/traces"  # no server: the rows are read
    stack.up()
    hook = stack.hook()
    stack.loosen_rules()
    url = stack.owner_url
    fill(url, years_of_rows(JOBS))
    log_plans(url)
    stack.stop()
    stack.up()
    rows = dict(stack.rows("SELECT oid::regclass::text, reltuples::bigint FROM pg_class WHERE relkind = 'r'"))
    use(stack, hook)
    updates = stack.rows("SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables")
    with psycopg.connect(url, application_name="tickwork control") as connection:
        connection.execute(CONTROL)
    stack.stop()
    [data] = (stack.home / "postgres").glob("pg*")
    return Observed(list(read_scans(data, "tickwork ")), rows, {name: (all_, hot) for name, all_, hot in updates})


def use(stack: Stack, hook: str) -> None:
    """Let every program do all that it does from day to day."""
    [(began,)] = stack.rows("SELECT now()")
    stack.rows("UPDATE schedule SET every = '5 seconds', only_when_open = false RETURNING 1")
    for alert in (ALERT, ALERT | {"action": "sell"}, {"action": "close", "symbol": "MNQ"}):
        answer = requests.post(hook, json=alert, timeout=60)
        stack.wait_for_end(answer.json()["job_id"])
    [ids] = stack.rows(NEWEST)
    found = dict(zip(("account", "order", "entry", "alert", "job"), map(str, ids), strict=True))
    for command in COMMANDS:
        done = stack.run(*command.format_map(found).split(), check=False)
        assert command in MAY_FAIL or done.returncode == 0, (command, done.stdout, done.stderr)
    requests.get(stack.written()["urls"]["prometheus"], timeout=60).raise_for_status()
    ended = "SELECT 1 FROM job WHERE name = schedule.job_name AND finished_at > %s"
    waiting = f"SELECT job_name FROM schedule WHERE is_enabled AND NOT EXISTS ({ended})"
    eventually("each entry of the schedule ran", lambda: not stack.rows(waiting, began))


def is_too_much(scan: Scan, observed: Observed) -> bool:
    """Whether a scan of a big table reads all of it, or too many rows."""
    is_big = observed.rows.get(scan.table, 0) > MOST_ROWS
    return is_big and (scan.rows_read > MOST_ROWS or (scan.kind == "Seq Scan" and scan.rows_read > 0))


pytestmark = pytest.mark.timeout(3600)


def test_no_statement_of_any_program_reads_much_of_a_big_table(observed: Observed) -> None:
    found = {
        f"{scan.program}: {scan.kind} of {scan.table} by {scan.index}, {scan.rows_read} rows: {scan.statement[:600]}"
        for scan in observed.scans
        if is_too_much(scan, observed) and not any(part in scan.statement for part in (*MAY_READ_MORE, CONTROL))
    }

    assert [] == sorted({re.sub(r"\d+ rows", "rows", one): one for one in found}.values())


def test_a_statement_that_reads_a_whole_table_would_be_found(observed: Observed) -> None:
    [found] = [scan for scan in observed.scans if scan.statement == CONTROL]

    assert is_too_much(found, observed)


def test_the_statements_of_every_program_are_seen(observed: Observed) -> None:
    expected = {
        "beat",
        "relay",
        "feed",
        "risk-monitor",
        "receiver",
        "cli",
        "exporter",
        "worker-high",
        "worker-critical",
    }
    expected |= {"worker-normal", "worker-bulk", "worker-critical leases"}

    assert set() == {f"tickwork {name}" for name in expected} - {scan.program for scan in observed.scans}


def test_rows_that_change_each_second_stay_in_place(observed: Observed) -> None:
    shares = {name: hot / max(updates, 1) for name, (updates, hot) in observed.updates.items() if name in IN_PLACE}

    assert {} == {name: share for name, share in shares.items() if share < LEAST_IN_PLACE}
