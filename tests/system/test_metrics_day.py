"""A replayed day: every figure of `metrics`, Prometheus and the sums equals the raw rows, however often it is made."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psutil
import pytest

from tests.fixtures.expected_exposition import NAMES, ExpectedExposition
from tests.fixtures.expected_metrics import SHARES, expect_document, is_near, list_wrong_sums
from tests.fixtures.frozen_day import FrozenDay, freezing_day
from tests.fixtures.processes import free_port
from tests.fixtures.stack import Stack

pytestmark = pytest.mark.timeout(600)  # it starts a dozen programs
MINUTE = timedelta(minutes=1)
# The sections of `metrics` that are summed up by hour, and what their rows are of.
LABELS = {"api": "endpoint", "jobs": "name", "waits": "queue", "order_steps": "step", "bars": "source"}
LATE_CALL = """
    INSERT INTO api_call (endpoint, method, called_at, duration_ms, status, queue)
    SELECT '/api/Order/search', 'POST', %s, 123.456, 200, 'critical' RETURNING 1
"""
LATE_GAUGE = """
    INSERT INTO gauge_rollup (span, period_start_at, kind, source, name, count, total, min, max)
    VALUES ('minute', %s, 'monitor', 'risk-monitor', 'round_delay_ms', 2, 9, 4, 5) RETURNING 1
"""


@pytest.fixture(scope="module")
def day(stack: Stack) -> Iterator[FrozenDay]:
    stack.env |= {"TICKWORK_PROMETHEUS_PORT": str(free_port()), "TICKWORK_CONTRACTS": "MNQ"}
    stack.up("--at", "2026-03-09T09:00", "--speed", "60")
    with freezing_day(stack) as frozen:
        yield frozen
    stack.stop()


def list_differences(day: FrozenDay) -> list[object]:
    """Return what the sums and a scrape say otherwise than the rows."""
    cache = day.stack.written()["urls"]["cache"]
    rules = {one["name"]: one["rules"] for one in day.read_json("risk")["accounts"]}
    while True:
        begun_at, shown, ended_at = day.read_now(), day.scrape(), day.read_now()
        if begun_at.minute == ended_at.minute:  # else it is not known of which minute the newest gauges are
            break
    expected = ExpectedExposition(day.stack.rows, begun_at, ended_at)
    expected.expect_happened(shown, day.slot)
    expected.expect_queues()
    expected.expect_gauges()
    expected.expect_feed(cache)
    expected.expect_accounts(cache, rules)
    return [*list_wrong_sums(day.stack.rows, day.slot), *expected.list_differences(shown)]


def by_content(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose lists are in the order of their content."""
    return {
        key: sorted(value, key=lambda row: sorted(map(str, row.items()))) if isinstance(value, list) else value
        for key, value in document.items()
    }


def count_from_report(feed: dict[str, Any]) -> None:
    """Take the age of the report from what is silent, which is shown until now."""
    age_s = feed.pop("age_s")
    assert age_s > 0
    for one in (feed["market"], feed["user"], *feed["contracts"]):
        if one["silent_s"] is not None:
            one["silent_s"] = pytest.approx(one["silent_s"] - age_s, abs=0.01)


def test_every_figure_of_metrics_equals_the_raw_rows(day: FrozenDay) -> None:
    cache = day.stack.written()["urls"]["cache"]
    expected = by_content(expect_document(day.stack.rows, cache, day.started_at))
    shown = day.read_json("metrics", "--last", "1h")
    for one in shown["canaries"]:
        assert one.pop("canary_age_s") is not None
    count_from_report(shown["feed"])
    assert_system(day.stack, shown.pop("system"))
    for row in shown["strategies"]:
        row["newest_market_at"] = datetime.fromisoformat(row["newest_market_at"])

    for section in ("api", "jobs", "waits"):
        slowest = [row["p95_ms"] or 0 for row in shown[section]]
        assert slowest == sorted(slowest, reverse=True), section
    shown = by_content(shown)
    assert expected.keys() == shown.keys()
    assert {} == {key: (shown[key], expected[key]) for key in expected if shown[key] != expected[key]}


def test_the_figures_of_two_days_equal_the_raw_rows_within_the_bound_of_the_histograms(day: FrozenDay) -> None:
    expected = expect_document(day.stack.rows, day.stack.written()["urls"]["cache"], day.started_at)
    shown = day.read_json("metrics", "--last", "2d")
    for section, label in LABELS.items():
        exact = {row[label]: row for row in expected[section]}
        assert exact.keys() == {row[label] for row in shown[section]}
        for row in shown[section]:
            for figure, value in exact[row[label]].items():
                is_share = figure in SHARES and value is not None
                assert is_near(Decimal(value), Decimal(row[figure])) if is_share else value == row[figure], (row, value)


def assert_system(stack: Stack, shown: dict[str, Any]) -> None:
    """Compare what the programs use with the processes themselves; they stand still, but for those that serve."""
    pids = {one["name"]: one["pid"] for one in stack.written()["programs"]}
    assert pids.keys() == {one["name"] for one in shown["programs"]}
    assert 0 <= shown["memory_percent"] <= 100 >= shown["cpu_percent"] >= 0
    for one in shown["programs"]:
        family = [psutil.Process(pids[one["name"]])]
        family += family[0].children(recursive=True)
        memory_mb = sum(process.memory_info().rss for process in family) / 2**20
        assert abs(one["memory_mb"] - memory_mb) < 5 + memory_mb / 5, one
        assert abs(one["processes"] - len(family)) <= (2 if one["name"] == "postgres" else 0), one


def test_every_sum_and_every_figure_of_a_scrape_equals_the_raw_rows(day: FrozenDay) -> None:
    kinds = {kind for (kind,) in day.stack.rows("SELECT DISTINCT kind FROM metric_rollup")}

    assert NAMES.keys() == kinds
    assert [] == list_differences(day)


def test_sums_that_are_made_twice_or_late_or_at_once_are_the_same(day: FrozenDay) -> None:
    before = day.read_sums()
    day.roll_up(day.slot)
    day.roll_up(day.slot - 2 * MINUTE)
    day.roll_up(day.slot, times_at_once=3)

    assert before == day.read_sums()
    assert [] == list_differences(day)


def test_rows_that_come_late_are_added_to_the_sums_of_their_minute(day: FrozenDay) -> None:
    late_at = day.started_at - 5 * MINUTE
    day.stack.rows(LATE_CALL, late_at)
    day.stack.rows(LATE_GAUGE, late_at.replace(second=0))
    tenth = day.slot - timedelta(minutes=day.slot.minute % 10)  # the first run from it on looks for all that comes late
    day.stack.rows("UPDATE metric_progress SET rolled_up_until_at = %s RETURNING true", tenth - MINUTE)
    before = day.read_sums()
    day.roll_up(day.slot, times_at_once=2)

    assert before != day.read_sums()
    assert [] == list_differences(day)
