"""Pings and quotes of the simulator while 16 clients ask for all daily bars, and while one subscribes to every product.

The control is the same without them.
"""

import json
import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing import Queue
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests

from shared.clock import MarketClock, machine_now
from tests.fixtures.figures import line
from tests.fixtures.hubs import RS, ConnectHub, HubClient
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


@pytest.mark.bench
@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_one_frame", [True, False], ids=["one-frame", "separate-frames"])
def test_a_client_that_subscribes_to_every_product_delays_no_ping(
    tmp_path: Path, connect_hub: ConnectHub, capsys: pytest.CaptureFixture[str], *, is_one_frame: bool
) -> None:
    venue = RunningVenue(tmp_path / "simulator", MarketClock(machine_now(), OPEN_AT), ["--seed", "7"], limits="off")
    try:
        venue.log_in()
        ids = [row["id"] for row in venue.post("/api/Contract/available", live=False)["contracts"]]
        client = connect_hub(venue, "market")
        control = ping(venue, SECONDS / 4)
        calls = [{"type": 1, "target": "SubscribeContractQuotes", "arguments": [id_]} for id_ in ids]
        with reading_frames(client) as frames:
            began = monotonic()
            for part in [calls] if is_one_frame else [[call] for call in calls]:
                client.say(*part)
            loading = ping(venue, SECONDS / 4)
            following = ping(venue, SECONDS / 2)
        records = [(at, record) for at, text in frames for record in text.split(RS)]
        quoted = {json.loads(record)["arguments"][0]: at for at, record in records if '"symbolName"' in record}
    finally:
        venue.close()
    with capsys.disabled():
        print(f"\n{len(quoted)} products quoted, the last {max(quoted.values()) - began:.1f} s after the first call")
        print(line("ping without it", control))
        print(line(f"ping while it subscribes to {len(ids)} products", loading))
        print(line(f"ping while it gets {len(ids)} products", following))
        print(f"the longest ping: {max(control):.1f} ms, {max(loading):.1f} ms, {max(following):.1f} ms")
    assert set(ids) == quoted.keys()
    assert max(loading) < max(control) + WITHIN_MS
    assert high(following) < WITHIN_MS


def high(times: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(times)[len(times) * 99 // 100]


def measure(venue: RunningVenue, client: HubClient) -> tuple[list[float], list[float]]:
    """Return the times of pings and the times between two frames of the hub, in ms, over some seconds."""
    assert "error" not in client.invoke("SubscribeContractQuotes", "CON.F.US.MNQ.H26")
    with reading_frames(client) as frames:
        pings = ping(venue, SECONDS)
    times = [at for at, _ in frames]
    return pings, [(later - earlier) * 1000 for earlier, later in pairwise(times)]


def ping(venue: RunningVenue, seconds: float) -> list[float]:
    """Return the times of pings over some seconds, in ms."""
    session, pings = requests.Session(), list[float]()
    ends = monotonic() + seconds
    while monotonic() < ends:
        began = monotonic()
        assert session.get(f"{venue.url}/api/Status/ping", timeout=60).ok
        pings.append((monotonic() - began) * 1000)
        sleep(0.02)
    return pings


@contextmanager
def reading_frames(client: HubClient) -> Iterator[list[tuple[float, str]]]:
    """Read the frames of a hub in a thread; yield the list of when each frame came, and its text."""
    frames, stopping = list[tuple[float, str]](), threading.Event()

    def read() -> None:
        while not stopping.is_set():
            with suppress(TimeoutError):
                text = str(client.socket.recv(timeout=1))
                frames.append((monotonic(), text))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield frames
    finally:
        stopping.set()
        reader.join()


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
