"""The real Flower beside real workers: what it lists, whom it answers, and that it changes nothing."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection

import pytest

from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv, StartedProgram
from tests.fixtures.processes import free_port, until

FLEET = "normal"
NAME = f"{FLEET}@{socket.gethostname()}"
SECOND = f"{FLEET}-2@{socket.gethostname()}"
CONFIGURED = "lab.example"
PURGE_AFTER_S = 1


class FlowerProcess:
    """A started Flower and requests to it, as those of a browser."""

    def __init__(self, ledger_env: LedgerEnv) -> None:
        self.port = free_port()
        self.program = ledger_env.start(
            "workers.flower", "--port", str(self.port), "--purge-after", str(PURGE_AFTER_S),
            FLOWER_UNAUTHENTICATED_API="true", FLOWER_PURGE_OFFLINE_WORKERS="3600", FLOWER_READ_ONLY="false",
            TICKWORK_FLOWER_HOSTS=f" {CONFIGURED.upper()},other.example",
        )  # fmt: skip
        until(self.is_answering, what="Flower")

    def request(self, method: str, path: str, host: str = "localhost") -> tuple[int, str]:
        """Return status and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers={"Host": f"{host}:{self.port}"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def is_answering(self) -> bool:
        """Whether it serves requests."""
        assert self.program.is_alive(), self.program.log.read_text()
        with suppress(OSError):
            return self.request("GET", "/healthcheck")[0] == 200
        return False

    def workers(self) -> dict[str, bool]:
        """Return for each listed worker whether it is online."""
        listed = json.loads(self.request("GET", "/workers?json=1")[1])["data"]
        return {one["hostname"]: one["status"] for one in listed}


@pytest.fixture(scope="module")
def flower(shared_ledger_env: LedgerEnv) -> FlowerProcess:
    return FlowerProcess(shared_ledger_env)


@pytest.fixture
def start_worker(shared_ledger_env: LedgerEnv) -> Callable[[], StartedProgram]:
    def start() -> StartedProgram:
        worker = shared_ledger_env.start("workers", FLEET)
        worker.wait_until_running()
        return worker

    return start


def test_a_restarted_worker_is_listed_once_and_one_that_stays_away_not_at_all(
    flower: FlowerProcess, start_worker: Callable[[], StartedProgram]
) -> None:
    first, second = start_worker(), start_worker()
    until(lambda: flower.workers() == {NAME: True, SECOND: True}, what="two workers")
    second.kill()
    first.kill()
    until(lambda: True not in flower.workers().values(), what="the end of both")
    again = start_worker()
    until(lambda: flower.workers() == {NAME: True}, what="the restarted worker alone")

    assert 0 == again.stop()
    until(lambda: flower.workers() == {}, what="an empty list")


@pytest.mark.parametrize("path", ["/api/worker/shutdown/{}", "/api/worker/pool/shrink/{}?n=4", "/api/task/apply/x"])
def test_a_request_that_would_change_something_is_refused(
    flower: FlowerProcess, start_worker: Callable[[], StartedProgram], shared_ledger_env: LedgerEnv, path: str
) -> None:
    worker = start_worker()
    until(lambda: flower.workers().get(NAME, False), what="the worker")
    flower.request("GET", "/workers?refresh=1")

    assert (405, "Flower is read-only here\n") == flower.request("POST", path.format(NAME))
    shared_ledger_env.wait_for("succeeded", shared_ledger_env.enqueue(DoNothing()))
    assert 0 == worker.stop()


def test_the_api_stays_closed_whatever_the_environment_says(flower: FlowerProcess) -> None:
    assert 401 == flower.request("GET", "/api/workers")[0]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", CONFIGURED, "LOCALHOST"])
def test_a_request_by_a_known_name_is_answered(flower: FlowerProcess, host: str) -> None:
    assert 200 == flower.request("GET", "/", host)[0]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.7", "localhost.", "[::2]"])
@pytest.mark.parametrize("path", ["/", "/healthcheck", "/static/css/flower.css", "/metrics"])
def test_a_request_by_a_foreign_name_is_refused(flower: FlowerProcess, host: str, path: str) -> None:
    status, text = flower.request("GET", path, host)

    assert (403, "unknown host name: open Flower as localhost, or set TICKWORK_FLOWER_HOSTS\n") == (status, text)
