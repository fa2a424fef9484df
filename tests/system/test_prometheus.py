"""The whole stack with Prometheus' port on: its address, and every query of the rules and dashboards against it."""

import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest
import requests
import yaml

from tests.fixtures.exporter import Exposition
from tests.fixtures.processes import free_port
from tests.fixtures.promql import DEPLOY, JOB, Query, list_faults, list_queries
from tests.fixtures.stack import ALERT, Stack, eventually

PAGE = DEPLOY.parent / "docs" / "howto" / "prometheus.md"
GAUGES = "SELECT 1 FROM gauge_rollup HAVING count(DISTINCT kind) = 5"
EVALUATED = "SELECT 1 FROM strategy_run WHERE bars_source IS NOT NULL LIMIT 1"


def scrape(stack: Stack) -> Exposition:
    answer = requests.get(stack.written()["urls"]["prometheus"], timeout=60)
    assert answer.status_code == HTTPStatus.OK, answer.text
    return Exposition(answer.text)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def shown(stack: Stack, port: int) -> Iterator[Exposition]:
    """What the endpoint shows after an alert was traded and its minute summed up."""
    stack.env["TICKWORK_PROMETHEUS_PORT"] = str(port)
    stack.up("--at", "2026-03-09T09:00", "--speed", "30")
    answer = requests.post(stack.hook(), json=ALERT, timeout=60)
    assert "succeeded" == stack.wait_for_end(answer.json()["job_id"])
    eventually("bars were read", lambda: stack.rows(EVALUATED))
    eventually("gauges of every kind are stored", lambda: stack.rows(GAUGES))
    ((now,),) = stack.rows("SELECT now()")
    stack.rows("UPDATE schedule SET every = '5 seconds' WHERE job_name = 'metrics.roll_up' RETURNING 1")
    eventually(
        "all that is summed up",
        lambda: scrape(stack).value("tickwork_metrics_rolled_up_until_timestamp_seconds") > now.timestamp(),
        timeout=300,
    )
    yield scrape(stack)
    stack.stop()


def test_status_shows_the_program_and_its_address(stack: Stack, shown: Exposition, port: int) -> None:
    status = stack.status()

    assert status is not None
    assert f"http://127.0.0.1:{port}/metrics" == status["urls"]["prometheus"]
    assert ["running"] == [one["state"] for one in status["programs"] if one["name"] == "exporter"]
    assert 1 == shown.value("tickwork_alerts_total")


@pytest.mark.parametrize("query", list_queries(), ids=lambda one: one.where)
def test_every_query_finds_its_metrics_labels_and_values(shown: Exposition, query: Query) -> None:
    assert [] == list_faults(query, shown)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("tickwork_no_such_metric", []),
        ('tickwork_jobs{state="no such state"}', []),
        ('tickwork_jobs{status="dead"}', []),
        ("sum by (fleet) (tickwork_jobs)", []),
        ("sum by (queue) (tickwork_jobs)", ["state"]),
        ("rate(tickwork_jobs[5m])", []),
        ("histogram_quantile(0.9, sum by (name) (rate(tickwork_job_run_duration_seconds_bucket[5m])))", []),
        ("histogram_quantile(0.9, sum by (le) (rate(tickwork_jobs_ended_total[5m])))", []),
        ("tickwork_jobs and on (fleet) tickwork_workers", []),
        ('up{job="other"}', []),
    ],
)
def test_a_wrong_query_is_found(shown: Exposition, text: str, labels: list[str]) -> None:
    assert [] != list_faults(Query("a test", text, frozenset(labels)), shown)


def test_prometheus_is_configured_for_the_job_and_the_rules_that_are_there() -> None:
    folder = DEPLOY / "prometheus"
    config = yaml.safe_load((folder / "prometheus.yml").read_text())

    assert [JOB] == [one["job_name"] for one in config["scrape_configs"]]
    assert [] == [name for name in config["rule_files"] if not (folder / name).exists()]


def test_each_dashboard_has_panels_of_its_own_place_and_a_data_source_to_choose() -> None:
    files = sorted((DEPLOY / "grafana").glob("*.json"))
    boards = [json.loads(file.read_text()) for file in files]

    assert len(files) == len({one["uid"] for one in boards}) > 1
    for board in boards:
        assert "datasource" in {one["type"] for one in board["templating"]["list"]}
        assert {"${datasource}"} == {
            target["datasource"]["uid"] for one in board["panels"] for target in one["targets"]
        }
        places = {(x, y) for one in board["panels"] for x, y in list_places(one["gridPos"])}
        assert len(places) == sum(len(list_places(one["gridPos"])) for one in board["panels"])


def list_places(grid: dict[str, int]) -> list[tuple[int, int]]:
    """Return the cells of the grid that a panel takes."""
    return [(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])]


def test_the_page_lists_every_metric_with_its_labels_and_no_other(shown: Exposition) -> None:
    listed = {line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `tickwork_")}

    assert {describe(name, shown) for name in shown.families} == listed


def describe(name: str, shown: Exposition) -> str:
    family = shown.families[name]
    labels = sorted({label for one in family.samples for label in one.labels} - {"le"})
    name = f"{name}_total" if family.type == "counter" else name
    return f"{name}{{{', '.join(labels)}}}" if labels else name
