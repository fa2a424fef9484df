"""`tickwork sim` as a new user runs it: one command, no other program, any client."""

import json
import re
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from cli.local.processes.program import tie_to_us
from tests.fixtures.processes import clean_environment, free_port, until
from tests.fixtures.stack import TICKWORK

pytestmark = pytest.mark.timeout(600)  # some start a program four times


class Sim:
    """One `tickwork sim` on its own ports; `output` is its whole output."""

    def __init__(self, home: Path, *arguments: str, **env: str) -> None:
        self.home = home
        self.port, self.control_port = free_port(), free_port()
        self.log = home / f"output-{self.port}"
        home.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*TICKWORK, "sim", "--port", str(self.port), "--control-port", str(self.control_port), *arguments],
                env=clean_environment() | {"TICKWORK_HOME": str(home), "COLUMNS": "120"} | env, stdout=log, stderr=log,
                preexec_fn=tie_to_us(signal.SIGKILL),  # noqa: PLW1509  # it only calls prctl
            )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait(self) -> "Sim":
        def is_up() -> bool:
            assert self.process.poll() is None, self.output
            return "Stop with Ctrl-C." in self.output

        until(is_up, 100, "the printed summary")
        return self

    def key(self) -> str:
        return (self.home / "sim" / "key").read_text().strip()

    def log_in(self, user: str = "simulator", key: str | None = None) -> dict[str, Any]:
        body = {"userName": user, "apiKey": key or self.key()}
        answer: dict[str, Any] = requests.post(f"{self.url}/api/Auth/loginKey", json=body, timeout=100).json()
        return answer

    def post(self, path: str, **body: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.log_in()['token']}"}
        answer: dict[str, Any] = requests.post(f"{self.url}{path}", json=body, headers=headers, timeout=100).json()
        return answer

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"http://127.0.0.1:{self.control_port}/sim/status", timeout=100).json()
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(100)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


StartSim = Callable[..., Sim]


@pytest.fixture
def start_sim(tmp_path: Path) -> Iterator[StartSim]:
    """Start `tickwork sim` in one home; all are stopped at the end."""
    running: list[Sim] = []

    def start(*arguments: str, home: Path = tmp_path / "home", **env: str) -> Sim:
        running.append(Sim(home, *arguments, **env))
        return running[-1]

    yield start
    for sim in running:
        sim.stop()


def test_sim_prints_working_addresses_and_a_working_example(start_sim: StartSim) -> None:
    sim = start_sim("--always-open", "--accounts", "50KTC,EXPRESS").wait()
    example = re.search(r"  curl .*?\n.*?\n", sim.output)
    assert example
    curl = subprocess.run(["bash", "-c", example[0]], capture_output=True, text=True, timeout=100, check=True)
    account = sim.post("/api/Account/search", onlyActiveAccounts=True)["accounts"][0]["id"]
    contract = sim.post("/api/Contract/search", searchText="MNQ", live=False)["contracts"][0]["id"]
    order = {"accountId": account, "contractId": contract, "type": 2, "side": 0, "size": 1}

    assert json.loads(curl.stdout)["token"]
    for expected in (sim.url, f"{sim.url}/hubs/user", f"{sim.url}/hubs/market", f":{sim.control_port}/sim", "PRAC-",
                 "50KTC-", "EXPRESS-", f"{sim.url}/swagger/v1/swagger.json"):  # fmt: skip
        assert expected in sim.output
    assert sim.key() not in sim.output
    assert sim.post("/api/Order/place", **order)["success"]
    assert 200 == requests.get(f"{sim.url}/swagger/v1/swagger.json", timeout=100).status_code


def test_the_key_is_generated_once_and_is_private(start_sim: StartSim) -> None:
    sim = start_sim().wait()
    file = sim.home / "sim" / "key"
    key = sim.key()
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    sim.stop()
    again = start_sim("--show-key").wait()

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert not any(key in line for line in lines)
    assert key == again.key()
    assert key in again.output
    assert 3 == again.log_in(key="another")["errorCode"]


def test_user_and_key_may_come_from_the_environment(start_sim: StartSim) -> None:
    sim = start_sim("--user", "me", TICKWORK_VENUE_KEY="a key of mine").wait()

    assert sim.log_in("ME", "a key of mine")["token"]
    assert not (sim.home / "sim" / "key").exists()
    assert "a key of mine" not in sim.output


def test_ctrl_c_stops_the_simulator_and_the_next_start_continues(start_sim: StartSim) -> None:
    sim = start_sim("--always-open").wait()
    account = sim.post("/api/Account/search", onlyActiveAccounts=True)["accounts"][0]["id"]
    contract = sim.post("/api/Contract/search", searchText="MNQ", live=False)["contracts"][0]["id"]
    placed = sim.post("/api/Order/place", accountId=account, contractId=contract, type=2, side=0, size=1)
    child = psutil.Process(sim.process.pid).children()

    assert 0 == sim.stop(signal.SIGINT)
    assert sim.output.endswith("Stopped.\n")
    assert "Traceback" not in sim.output
    assert [] == psutil.wait_procs(child, timeout=60)[1]
    again = start_sim("--always-open").wait()
    assert placed["orderId"] == again.post("/api/Order/searchById", accountId=account, orderId=placed["orderId"])[
        "order"
    ]["id"]  # fmt: skip
    assert 0 == again.stop(signal.SIGTERM)
    assert 0 == start_sim("--always-open", "--fresh").wait().status()["order_count"]


def test_a_taken_port_is_named_with_a_hint(start_sim: StartSim, tmp_path: Path) -> None:
    first = start_sim().wait()
    second = start_sim("--port", str(first.port), home=tmp_path / "other")

    assert 1 == second.process.wait(100)
    assert f"port {first.port} is taken" in second.output
    assert "--port" in second.output


def test_a_second_simulator_on_the_same_state_names_the_first(start_sim: StartSim) -> None:
    first = start_sim().wait()
    second = start_sim()

    assert 1 == second.process.wait(100)
    assert f"process {first.process.pid}" in second.output
    assert "--state" in second.output


def test_a_stepped_market_begins_open_with_a_frozen_clock(start_sim: StartSim) -> None:
    sim = start_sim("--stepped").wait()
    before = sim.status()

    assert (True, True) == (before["is_stepped"], before["is_open"])
    assert before["market_now"] == sim.status()["market_now"]


def test_a_market_keeps_the_speed_it_began_with(start_sim: StartSim) -> None:
    start_sim("--speed", "10").wait().stop()
    other = start_sim("--speed", "20")

    assert 1 == other.process.wait(100)
    assert "--fresh" in other.output
    assert 10 == start_sim().wait().status()["speed"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--seed", "1", "--replay", "x.csv"], "two markets"),
        (["--stepped", "--speed", "5"], "exclude"),
        (["--speed", "100"], "1 to 60"),
        (["--accounts", "GOLD"], "PRAC"),
        (["--replay", "nowhere.csv"], "nowhere.csv"),
        (["--limits", "45"], "30"),
    ],
)
def test_an_invalid_option_is_refused_with_a_reason(start_sim: StartSim, arguments: list[str], why: str) -> None:
    sim = start_sim(*arguments)

    assert 0 != sim.process.wait(100)
    assert why in sim.output
    assert "Traceback" not in sim.output


def test_the_help_explains_every_option_in_sections_with_examples() -> None:
    done = subprocess.run([*TICKWORK, "sim", "--help"], capture_output=True, text=True, timeout=100, check=True)

    for section in ("Market:", "Clients:", "Ports and state:", "Examples:", "tickwork sim --always-open"):
        assert section in done.stdout
