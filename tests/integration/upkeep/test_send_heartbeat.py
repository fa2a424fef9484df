"""The dead-man switch: a heartbeat each minute, and none once something that watches has stopped."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.fleets import FLEET_PER_QUEUE, FLEETS
from shared.ids import new_id
from shared.ledger.jobs.upkeep import SendHeartbeat
from tests.fixtures.feed_reports import report_feed, report_monitor, report_workers
from tests.fixtures.local_service import LocalService, QuietHandler
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from tests.integration.cli.doctor_checks import check_with_doctor, run_doctor
from workers.wiring import open_runner

SECRET = "/ping/6f1c0f5e-secret?rid=1"


class Service(LocalService):
    """A monitoring service on this computer: the paths that were requested, and the status it answers with."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.status = 200
        service = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802  # as http.server calls it
                service.paths.append(self.path)
                self.send_response(service.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

        super().__init__(Handler)

    @property
    def url(self) -> str:
        return f"http://{self.address}{SECRET}"


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    yield found
    found.close()


@pytest.fixture
def watched(worker_env: WorkerEnv) -> WorkerEnv:
    """A stack whose risk monitor, feed and workers work."""
    report_monitor(worker_env)
    report_workers(worker_env, *(fleet.name for fleet in FLEETS))
    report_feed(worker_env, is_subscribed=True)
    return worker_env


def send(env: WorkerEnv, url: str, public_url: str = "") -> tuple[str, Any, str | None]:
    """Run the job with the URLs while the workers of the last minute work; return its state, result and error."""
    env.execute("UPDATE worker SET seen_at = now() WHERE seen_at BETWEEN now() - interval '1 minute' AND now()")
    own = replace(env.settings, heartbeat_url=url, public_url=public_url)
    with open_runner(own, process("heartbeat/1"), program="test") as runner:
        job_id = env.enqueue(SendHeartbeat())
        runner.run(job_id)
    return env.job(job_id)


def test_a_heartbeat_is_sent_while_everything_is_watched(
    watched: WorkerEnv, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    state, result, _ = send(watched, service.url)

    assert ("succeeded", {"host": "127.0.0.1", "status": 200}) == (state, result)
    assert [SECRET] == service.paths
    assert "secret" not in caplog.text


def test_without_a_url_nothing_is_sent_and_doctor_says_so(operator: RunCommand, watched: WorkerEnv) -> None:
    assert ("succeeded", None, None) == send(watched, "")
    found = check_with_doctor(operator, watched, "heartbeat")
    assert ("fine", "off, as no heartbeat_url is set") == (found["state"], found["detail"])


def test_doctor_says_when_the_last_one_was_sent_and_that_a_running_stack_does_not_know_of_the_url(
    operator: RunCommand, watched: WorkerEnv, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(watched, service.url)
    assert "sent to 127.0.0.1 at " in check_with_doctor(operator, watched, "heartbeat")["detail"]
    send(watched, "")
    monkeypatch.setenv("TICKWORK_HEARTBEAT_URL", service.url)
    assert "none was sent yet" in check_with_doctor(operator, watched, "heartbeat")["detail"]
    found = run_doctor(operator, watched, TICKWORK_HEARTBEAT_URL="")["heartbeat"]

    assert ("warning", True) == (found["state"], "the running stack does not know that" in found["detail"])
    assert "secret" not in found["detail"]


@pytest.mark.parametrize(
    ("breaks", "told"),
    [
        ("DELETE FROM risk_monitor", "no risk monitor runs"),
        ("UPDATE risk_monitor SET ran_at = now() - interval '11 s'", "the risk monitor last ran 11 s ago"),
    ],
)
def test_no_heartbeat_is_sent_once_the_risk_monitor_stops(
    watched: WorkerEnv, service: Service, breaks: str, told: str
) -> None:
    watched.execute(breaks)
    state, _, error = send(watched, service.url)

    assert ("failed", True) == (state, told in (error or ""))
    assert [] == service.paths


@pytest.mark.parametrize(("is_subscribed", "age_s"), [(False, 0), (True, 30)], ids=["hub down", "feed dead"])
def test_no_heartbeat_is_sent_once_the_feed_stops(
    watched: WorkerEnv, service: Service, *, is_subscribed: bool, age_s: int
) -> None:
    report_feed(watched, is_subscribed=is_subscribed, age=timedelta(seconds=age_s))
    state, _, error = send(watched, service.url)

    assert ("failed", True) == (state, "the feed is not subscribed to the user hub" in (error or ""))
    assert [] == service.paths


@pytest.mark.parametrize(
    "breaks",
    [
        "UPDATE worker SET seen_at = now() - interval '2 minutes' WHERE fleet = 'bulk'",
        "UPDATE worker SET seen_at = now() + interval '90 minutes' WHERE fleet = 'bulk'",
        "UPDATE worker SET ended_at = now() WHERE fleet = 'bulk'",
        "UPDATE worker SET fleet = 'direct' WHERE fleet = 'bulk'",
    ],
    ids=["killed", "killed before the clock was set back", "ended", "another program"],
)
def test_no_heartbeat_is_sent_while_no_worker_serves_a_queue(watched: WorkerEnv, service: Service, breaks: str) -> None:
    watched.execute(breaks)
    state, _, error = send(watched, service.url)

    assert ("failed", True) == (state, "no worker serves the queue low or background" in (error or "")), error
    assert [] == service.paths


def test_a_fleet_for_each_queue_serves_what_the_fleets_of_up_do(watched: WorkerEnv, service: Service) -> None:
    watched.execute("DELETE FROM worker")
    report_workers(watched, *(fleet.name for fleet in FLEET_PER_QUEUE))

    assert "succeeded" == send(watched, service.url)[0]


def test_no_heartbeat_is_sent_while_alerts_of_the_internet_do_not_arrive(watched: WorkerEnv, service: Service) -> None:
    insert_failed_probe(watched)
    assert "succeeded" == send(watched, service.url)[0]  # no public URL, so none is expected
    state, _, error = send(watched, service.url, public_url="https://alerts.example.com")

    assert ("failed", True) == (state, "do not arrive: ProbeFailedError: no answer" in (error or ""))


def test_a_probe_that_failed_by_a_clock_that_was_set_back_since_withholds_nothing(
    watched: WorkerEnv, service: Service
) -> None:
    insert_failed_probe(watched)
    watched.execute("UPDATE job SET finished_at = now() + interval '90 minutes' WHERE name = 'upkeep.probe_receiver'")

    assert "succeeded" == send(watched, service.url, public_url="https://alerts.example.com")[0]


def insert_failed_probe(env: WorkerEnv) -> None:
    job_id = new_id()
    env.execute(
        "INSERT INTO job (id, name, queue, arguments, state, max_attempts, sequence_id, correlation_id, finished_at,"
        f" error) VALUES ('{job_id}', 'upkeep.probe_receiver', 'low', '{{}}', 'failed', 1, '{job_id}', '{job_id}',"
        " now(), 'ProbeFailedError: no answer')"
    )


@pytest.mark.parametrize(
    ("status", "told"), [(500, "it answered 500"), (302, "it answered 302"), (None, "ConnectionRefusedError")]
)
def test_a_service_that_takes_none_is_named_by_doctor_without_the_secret(
    operator: RunCommand, watched: WorkerEnv, service: Service, status: int | None, told: str
) -> None:
    service.status = status or 200
    url = service.url if status else "http://127.0.0.1:1/secret"
    state, _, error = send(watched, url)

    assert ("failed", True) == (state, f"127.0.0.1 took no heartbeat: {told}" in (error or "")), error
    assert "secret" not in (error or "")
    found = run_doctor(operator, watched, TICKWORK_HEARTBEAT_URL=url)["heartbeat"]
    assert "warning" == found["state"]
    assert found["detail"].startswith("127.0.0.1 took no heartbeat: ")
