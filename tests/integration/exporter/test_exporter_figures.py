"""The figures that Prometheus reads: equal to the rows, whatever is summed up when and how often, and to `risk`."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from math import inf
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.clock import machine_now
from shared.db.alerts.probe_hook import PROBE_HOOK_ID
from shared.db.engine import driver
from shared.db.metrics import figures, gauges, rollups
from shared.db.metrics.happened import ENDED, HAPPENED
from shared.db.metrics.metrics import ApiCall, record_calls
from shared.db.metrics.totals import STEP_ENDS_S
from shared.db.migrate import newest_revision
from shared.domain.metrics.gauge_sums import Gauge, GaugeSums
from shared.fleets import Queue
from shared.hot.quotes import quote_key
from tests.fixtures.alert_steps import hold
from tests.fixtures.exporter import ExporterProcess, Exposition, running_exporter
from tests.fixtures.operator import RunCommand
from tests.fixtures.program_env import make_program_env
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from web.exporter.happened import KINDS

ENDPOINT = "/api/Test/of_exporter"
DURATIONS = f"WITH {ENDED} SELECT kind, name, ms FROM ({HAPPENED}) AS happened WHERE ms IS NOT NULL"
ACCOUNT = "tickwork_account_"


@pytest.fixture
def exporter(worker_env: WorkerEnv, tmp_path: Path) -> Iterator[ExporterProcess]:
    with running_exporter(make_program_env(worker_env), tmp_path) as exporter:
        yield exporter


def next_minute() -> datetime:
    return machine_now().replace(second=0, microsecond=0) + timedelta(minutes=1)


def insert_calls(worker_env: WorkerEnv, *calls: tuple[datetime, Decimal, str | None]) -> None:
    rows = [ApiCall(ENDPOINT, "POST", at, ms, 200, error, None, Queue.LOW) for at, ms, error in calls]
    with worker_env.ledger.engine.begin() as connection:
        record_calls(driver(connection), rows)


def roll_up(worker_env: WorkerEnv, slot: datetime) -> None:
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, slot, [])


def list_differences(worker_env: WorkerEnv, shown: Exposition, until: datetime) -> list[object]:
    """Return what the exposition says otherwise than the raw rows of the last day."""
    since = until - timedelta(hours=23)
    found: list[object] = []
    values = {"start": since, "end": until, "probes": [], "probe_hook": PROBE_HOOK_ID}
    with worker_env.ledger.engine.connect() as connection:
        rows = figures.summarize(connection, since, until, [])
        durations = connection.execute(text(DURATIONS), values).all()
    for row in rows:
        kind, name = KINDS[row["kind"]], row["name"]
        labels = {} if kind.label is None else {kind.label: name}
        ms = [one.ms for one in durations if (one.kind, one.name) == (row["kind"], name)]
        expected = {f"{kind.duration[0]}_count": len(ms), f"{kind.duration[0]}_sum": float(sum(ms)) / 1000}
        expected |= {} if kind.total is None else {f"{kind.total[0]}_total": row["count"]}
        expected |= {} if kind.errors is None else {f"{kind.errors[0]}_total": row["error_count"]}
        found += [(one, name) for one, value in expected.items() if shown.value(one, **labels) != pytest.approx(value)]
        bucket = f"{kind.duration[0]}_bucket"
        for end in STEP_ENDS_S:
            below = sum(1 for one in ms if float(one) / 1000 <= end)
            if shown.value(bucket, le=repr(end), **labels) != below:
                found.append((bucket, name, end, below))
    return found


def insert_evaluations(worker_env: WorkerEnv, at: datetime) -> None:
    """Insert what a strategy has evaluated, once with a gap in its bars."""
    for number, (source, gap) in enumerate([("memory", 0), ("redis", 2), ("postgres", 0)]):
        worker_env.execute(
            "INSERT INTO strategy_run (strategy, contract_id, closed_until_market_at, evaluated_at, decision, reason,"
            f" duration_ms, bars_source, bars_gap_minutes, bars_read_ms) VALUES ('sma', '{MNQ}',"
            f" '{at}'::timestamptz + interval '{number} s', '{at}', 'none', '', 1.5, '{source}', {gap}, 0.02)"
        )


def test_every_counter_and_bucket_equals_the_raw_rows(worker_env: WorkerEnv, exporter: ExporterProcess) -> None:
    slot, chance = next_minute(), random.Random(7)
    hold(worker_env, 1)
    insert_evaluations(worker_env, slot - timedelta(minutes=1))
    durations = [Decimal(str(round(10 ** chance.uniform(-3, 6), 3))) for _ in range(800)]
    near = (Decimal("-0.001"), Decimal("0.001"))
    durations += [Decimal(f"{end * 1000:.3f}") + little for end in STEP_ENDS_S for little in near]
    errors = ["an error" if number % 7 == 0 else None for number in range(len(durations))]
    ages = [timedelta(seconds=number + 2) for number in range(len(durations))]
    insert_calls(worker_env, *[(slot - age, ms, error) for age, ms, error in zip(ages, durations, errors, strict=True)])
    roll_up(worker_env, slot)
    shown = exporter.scrape()

    assert KINDS.keys() == {kind for (kind,) in worker_env.rows("SELECT kind FROM metric_rollup")}
    assert [] == list_differences(worker_env, shown, slot)
    assert slot.timestamp() == shown.value("tickwork_metrics_rolled_up_until_timestamp_seconds")


def test_a_second_roll_up_changes_no_counter_and_late_rows_are_added(
    worker_env: WorkerEnv, exporter: ExporterProcess
) -> None:
    slot = next_minute()
    hold(worker_env, 1)
    roll_up(worker_env, slot)
    first = exporter.scrape()
    roll_up(worker_env, slot)
    second = exporter.scrape()
    insert_calls(worker_env, (slot - timedelta(minutes=1), Decimal(5), None))
    roll_up(worker_env, slot)

    assert len(first.list_counters()) > 100
    assert first.list_counters() == second.list_counters()
    assert [] == list_differences(worker_env, exporter.scrape(), slot)
    assert 1 == exporter.scrape().value("tickwork_venue_requests_total", endpoint=ENDPOINT)


def test_no_counter_falls_when_a_job_is_requeued_that_had_ended(
    worker_env: WorkerEnv, exporter: ExporterProcess
) -> None:
    slot, name = next_minute(), "orders.place_order"
    hold(worker_env, 1)
    worker_env.execute(f"UPDATE job SET state = 'dead', error = 'a test' WHERE name = '{name}'")
    roll_up(worker_env, slot)
    before = exporter.scrape()
    worker_env.execute(f"UPDATE job SET state = 'queued', started_at = NULL, finished_at = NULL WHERE name = '{name}'")
    roll_up(worker_env, slot)
    after = exporter.scrape()

    assert [] == worker_env.rows("SELECT 1 FROM metric_rollup WHERE span = 'day' AND name = %s", name)
    assert (
        1
        == before.value("tickwork_job_failures_total", name=name)
        == before.value("tickwork_jobs_ended_total", name=name)
    )
    fallen = [one for one in before.list_counters() if one.value > after.value(one.name, **one.labels)]
    assert [] == fallen


def test_an_account_has_the_figures_of_risk(
    worker_env: WorkerEnv, exporter: ExporterProcess, operator: RunCommand
) -> None:
    hold(worker_env, 2)
    worker_env.execute('UPDATE account SET rule_changes = \'{"weekly_loss_limit": "900"}\'')
    worker_env.write_quote()
    shown = exporter.scrape()
    worker_env.write_quote()
    (expected,) = operator("risk", "--json").json["accounts"]
    name = expected["name"]

    rules = {row["rule"]: row for row in expected["rules"] if row["unit"] == "dollars"}
    assert {"max_loss_limit", "daily_loss_limit", "weekly_loss_limit"} <= rules.keys()
    for rule, row in rules.items():
        assert float(row["headroom"]) == shown.value(f"{ACCOUNT}rule_headroom_dollars", account=name, rule=rule)
        assert float(row["allowance"]) == shown.value(f"{ACCOUNT}rule_allowance_dollars", account=name, rule=rule)
    assert float(expected["equity"]) == shown.value(f"{ACCOUNT}equity_dollars", account=name)
    counts = ("open_positions", "open_contracts", "unguarded_contracts", "halted")
    assert [1, 2, 0, 0] == [shown.value(f"{ACCOUNT}{one}", account=name) for one in counts]


def test_a_lost_stop_a_halt_and_a_missing_price_show(
    worker_env: WorkerEnv, exporter: ExporterProcess, operator: RunCommand
) -> None:
    hold(worker_env, 2)
    worker_env.execute("UPDATE orders SET state = 'CANCELLED' WHERE role = 'STOP_LOSS'")
    operator("halt", "a test", "--yes")
    worker_env.redis.delete(quote_key(MNQ))
    shown = exporter.scrape()
    name = next(iter(shown.values(f"{ACCOUNT}balance_dollars", "account")))

    assert [2, 1] == [shown.value(f"{ACCOUNT}{one}", account=name) for one in ("unguarded_contracts", "halted")]
    assert {} == shown.values(f"{ACCOUNT}equity_dollars", "account")
    assert {} == shown.values(f"{ACCOUNT}rule_headroom_dollars", "rule")


def test_accounts_of_one_name_are_told_apart(worker_env: WorkerEnv, exporter: ExporterProcess) -> None:
    worker_env.execute(
        "INSERT INTO account SELECT (jsonb_populate_record(a, jsonb_build_object('id', 77))).* FROM account a"
    )
    found = exporter.scrape().values(f"{ACCOUNT}balance_dollars", "account")

    assert [True, True] == [name.endswith((" (77)", f" ({worker_env.venue.account_id})")) for name in found]


def test_what_has_never_run_is_infinitely_old(exporter: ExporterProcess) -> None:
    shown = exporter.scrape()

    assert (
        inf
        == shown.value("tickwork_risk_monitor_last_run_age_seconds")
        == shown.value("tickwork_feed_report_age_seconds")
    )
    assert {"MNQ": inf} == {
        name[:3]: age for name, age in shown.values("tickwork_feed_price_age_seconds", "contract").items()
    }
    assert 1 == shown.value("tickwork_build_info", market="test", schema=newest_revision(), version=version("tickwork"))
    assert abs(shown.value("tickwork_database_timestamp_seconds") - machine_now().timestamp()) < 60


def test_gauges_are_those_of_the_newest_minute_in_units_of_prometheus(
    worker_env: WorkerEnv, exporter: ExporterProcess
) -> None:
    at = machine_now()
    insert_gauges(worker_env, at - timedelta(minutes=1), 90)
    insert_gauges(worker_env, at, 25, 75)
    shown = exporter.scrape()

    assert 0.5 == shown.value("tickwork_host_cpu_usage_ratio", host="lab")
    assert 50 == shown.value("tickwork_host_load1", host="lab")
    assert 50 * 2**20 == shown.value("tickwork_host_disk_free_bytes", host="lab")
    assert 0.5 == shown.value("tickwork_program_cpu_usage_cores", host="lab", program="feed")
    assert 50 * 2**20 == shown.value("tickwork_program_memory_bytes", host="lab", program="feed")
    assert 50 == shown.value("tickwork_program_uptime_seconds", host="lab", program="feed")
    assert 0.5 == shown.value("tickwork_venue_budget_left_ratio", budget="bars")


def test_a_gauge_that_was_not_read_for_minutes_is_absent(worker_env: WorkerEnv, exporter: ExporterProcess) -> None:
    insert_gauges(worker_env, machine_now() - timedelta(minutes=3), 25)
    shown = exporter.scrape()

    usage = ("tickwork_host", "tickwork_program", "tickwork_venue_budget")
    assert [] == [one for one in shown.samples if one.name.startswith(usage)]


def insert_gauges(worker_env: WorkerEnv, at: datetime, *values: float) -> None:
    sums = GaugeSums()
    for value in values:
        for name in ("cpu_percent", "load_1m", "disk_free_mb"):
            sums.add(Gauge("host", "lab", name), value, at)
        for name in ("cpu_percent", "memory_mb", "uptime_s"):
            sums.add(Gauge("program", "lab/feed", name), value, at)
        sums.add(Gauge("budget", "bars", "left_percent"), value, at)
    with worker_env.ledger.engine.begin() as connection:
        gauges.store(connection, sums.take())


def test_no_label_has_an_id(worker_env: WorkerEnv, exporter: ExporterProcess) -> None:
    hold(worker_env, 1)
    roll_up(worker_env, next_minute())
    labels = {(label, value) for one in exporter.scrape().samples for label, value in one.labels.items()}
    ids = {str(one) for (one,) in worker_env.rows("SELECT id FROM job UNION ALL SELECT id FROM orders")}

    known = {
        "account",
        "budget",
        "contract",
        "endpoint",
        "fleet",
        "host",
        "le",
        "market",
        "name",
        "program",
        "queue",
        "rule",
        "schema",
        "source",
        "state",
        "step",
        "strategy",
        "version",
    }
    assert {label for label, _ in labels} <= known
    assert not {value for _, value in labels} & ids
