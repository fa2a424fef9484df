"""Pings and quotes of the simulator while 16 clients ask for all daily bars; the control is the same without them."""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import Queue
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests

from shared.clock import MarketClock, machine_now
from tests.fixtures.figures import line
from tests.fixtures.hubs import ConnectHub, HubClient
from tests.fixtures.venue import OPEN_AT, RunningVenue

CLIENTS = 16
WITHIN_MS = 50
SECONDS = 20
ROOTS = ("MNQ", "MES", "ENQ", "EP", "YM", "MYM", "RTY", "M2K")
ALL_DAYS = {
    "live": False, "startTime": datetime(2018, 1, 2, tzinfo=UTC).isoformat(), "endTime": OPEN_AT.isoformat(),
    "unit": 4, "unitNumber": 1, "limit": 20_000, "includePartialBar": True,
}  # fmt: skip


@pytest.mark.bench
@pytest.mark.timeout(300)
def test_history_of_any_length_delays_no_ping_and_no_hub(
    tmp_path: Path, connect_hub: ConnectHub, capsys: pytest.CaptureFixture[str]
) -> None:
    venue = RunningVenue(tmp_path / "simulator", MarketClock(machine_now(), OPEN_AT), ["--seed", "7"], limits="off")
    try:
        token = venue.log_in()
        control, control_gaps = measure(venue, connect_hub(venue, "market"))
        with asking_for_history(venue, token) as answered_s:
            pings, gaps = measure(venue, connect_hub(venue, "market"))
            seconds = [answered_s.get() for _ in range(answered_s.qsize())]
    finally:
        venue.close()
    with capsys.disabled():
        print(f"\n{len(seconds)} histories answered, {min(seconds):.1f} to {max(seconds):.1f} s each")
        print(line("ping without them", control))
        print(line(f"ping beside {CLIENTS} clients", pings))
        print(f"the longest ping: {max(control):.1f} ms without them, {max(pings):.1f} ms beside them")
        print(line("between two frames of the hub, without them", control_gaps))
        print(line(f"the same beside {CLIENTS} clients", gaps))
    assert high(pings) < WITHIN_MS
    assert high(gaps) < high(control_gaps) + WITHIN_MS


def high(times: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(times)[len(times) * 99 // 100]


def measure(venue: RunningVenue, client: HubClient) -> tuple[list[float], list[float]]:
    """Return the times of pings and the times between two frames of the hub, in ms, over some seconds."""
    assert "error" not in client.invoke("SubscribeContractQuotes", "CON.F.US.MNQ.H26")
    session, pings, gaps = requests.Session(), list[float](), list[float]()
    stopping = threading.Event()

    def read_frames() -> None:
        last = monotonic()
        while not stopping.is_set():
            client.socket.recv(timeout=30)
            now = monotonic()
            gaps.append((now - last) * 1000)
            last = now

    reader = threading.Thread(target=read_frames)
    reader.start()
    ends = monotonic() + SECONDS
    while monotonic() < ends:
        began = monotonic()
        assert session.get(f"{venue.url}/api/Status/ping", timeout=60).ok
        pings.append((monotonic() - began) * 1000)
        sleep(0.02)
    stopping.set()
    reader.join()
    return pings, gaps


@contextmanager
def asking_for_history(venue: RunningVenue, token: str) -> Iterator["Queue[float]"]:
    """Let the clients ask again and again, in a process of their own; yield the seconds that each answer took."""
    spawning = multiprocessing.get_context("spawn")
    answered_s: Queue[float] = spawning.Queue()
    clients = spawning.Process(target=ask_for_ever, args=(venue.url, token, answered_s))
    clients.start()
    try:
        answered_s.put(answered_s.get(timeout=120))  # until the first answer: all of them ask
        yield answered_s
    finally:
        clients.kill()
        clients.join()


def ask_for_ever(url: str, token: str, answered_s: "Queue[float]") -> None:
    def ask(number: int) -> None:
        session = requests.Session()
        body: dict[str, Any] = ALL_DAYS | {"contractId": f"CON.F.US.{ROOTS[number % len(ROOTS)]}.H26"}
        while True:
            began = monotonic()
            answer = session.post(
                f"{url}/api/History/retrieveBars", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=280
            )
            assert len(answer.json()["bars"]) > 100
            answered_s.put(monotonic() - began)

    for number in range(CLIENTS):
        threading.Thread(target=ask, args=(number,)).start()
