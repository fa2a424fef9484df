"""The exporter as Prometheus meets it: a real program on a socket, whose database and cache come and go."""

from collections.abc import Iterator
from datetime import timedelta
from math import inf
from pathlib import Path

import psutil
import psycopg
import pytest

from shared.clock import machine_now
from shared.db.metrics import rollups
from shared.hot.feed_health import HEALTH_KEY
from tests.fixtures.alert_steps import hold
from tests.fixtures.exporter import ExporterProcess, running_exporter
from tests.fixtures.ledger_env import without_database
from tests.fixtures.processes import until
from tests.fixtures.program_env import make_program_env
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def exporter(worker_env: WorkerEnv, tmp_path: Path) -> Iterator[ExporterProcess]:
    with running_exporter(make_program_env(worker_env), tmp_path) as exporter:
        yield exporter


def test_metrics_are_answered_by_known_names_only(exporter: ExporterProcess) -> None:
    assert [200] * 4 == [exporter.request(host=one)[0] for one in ("localhost", "127.0.0.1", "[::1]", "lab.EXAMPLE")]
    for path in ("/metrics", "/live", "/other"):
        status, text = exporter.request(path, "evil.example")
        assert (403, "unknown host name: ask for localhost, or start with --allow-host NAME\n") == (status, text)


def test_only_this_computer_reaches_it(exporter: ExporterProcess) -> None:
    found = psutil.Process(exporter.program.pid).net_connections(kind="inet")

    assert {"127.0.0.1"} == {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN}


def test_another_path_has_nothing_and_a_query_hides_nothing(exporter: ExporterProcess) -> None:
    whole = exporter.request()[1]

    assert (404, "the metrics are at /metrics\n") == exporter.request("/")
    assert len(whole.splitlines()) == len(exporter.request("/metrics?name[]=tickwork_jobs")[1].splitlines())


def test_without_the_database_a_scrape_fails_whole_and_the_next_one_with_it_succeeds(
    worker_env: WorkerEnv, exporter: ExporterProcess
) -> None:
    exporter.scrape()
    with without_database(worker_env.settings.database_url):
        status, text = exporter.request()
        assert (200, "live\n") == exporter.request("/live")
    until(lambda: exporter.request()[0] == 200, what="a scrape that succeeds")

    assert 503 == status
    assert "tickwork_" not in text.replace("tickwork_test", "")
    assert "PASSWORD" not in text.upper()


def test_a_locked_table_makes_a_scrape_fail_in_time(worker_env: WorkerEnv, exporter: ExporterProcess) -> None:
    with psycopg.connect(worker_env.settings.database_url) as connection:
        connection.execute("LOCK TABLE account")
        status, text = exporter.request()
    found = exporter.request()[0]

    assert (503, 200) == (status, found), text


def test_without_redis_the_rest_is_told_and_prices_are_infinitely_old(worker_env: WorkerEnv, tmp_path: Path) -> None:
    env = make_program_env(worker_env) | {"REDIS_URL": "redis://127.0.0.1:1/0"}
    with running_exporter(env, tmp_path) as exporter:
        shown = exporter.scrape()

    assert inf == shown.value("tickwork_feed_report_age_seconds")
    assert 1 == len(shown.values("tickwork_account_balance_dollars", "account"))


def test_a_feed_report_of_another_version_is_none(worker_env: WorkerEnv, exporter: ExporterProcess) -> None:
    worker_env.redis.set(HEALTH_KEY, '{"reported_at": 7}')

    assert inf == exporter.scrape().value("tickwork_feed_report_age_seconds")


def test_every_exporter_says_the_same_also_one_that_was_restarted(
    worker_env: WorkerEnv, exporter: ExporterProcess, tmp_path: Path
) -> None:
    hold(worker_env, 1)
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, machine_now().replace(second=0, microsecond=0) + timedelta(minutes=1), [])
    first = exporter.scrape().list_counters()
    with running_exporter(make_program_env(worker_env), tmp_path) as other:
        second = other.scrape().list_counters()

    assert len(first) > 100
    assert first == second


def test_a_scrape_leaves_no_transaction_open_and_uses_one_connection(
    worker_env: WorkerEnv, exporter: ExporterProcess
) -> None:
    for _ in range(5):
        exporter.scrape()

    mine = "SELECT state FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    assert [("idle",)] == worker_env.rows(mine, "tickwork exporter")
