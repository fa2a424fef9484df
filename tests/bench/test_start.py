"""The time of a first start, and of a second until an alert is accepted and until every program runs."""

import time
from functools import partial
from pathlib import Path

import pytest
import requests

from shared.fleets import FLEETS
from tests.fixtures.broker import Broker
from tests.fixtures.stack import ALERT, Stack, eventually

STARTS = 3
PROGRAMS = {"postgres", "valkey", "simulator", "receiver", "beat", "relay", "risk-monitor", "flower"} | {
    fleet.program for fleet in FLEETS
}


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_a_first_start(open_folder: Path, common_broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = []
    for number in range(STARTS):
        first = Stack(open_folder / f"first-{number}", common_broker)
        first.choose_ports()
        began = time.perf_counter()
        first.start()
        eventually("every program runs", partial(are_running, first, PROGRAMS))
        seconds.append(time.perf_counter() - began)
        first.close()
    with capsys.disabled():
        print(f"\n{STARTS} starts of an empty home")
        print(f"{'every program runs, worst':40} {max(seconds):6.1f} s  (target: 6)")
        print(f"{'every program runs, best':40} {min(seconds):6.1f} s")


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_a_second_start(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.up()
    url = stack.hook("start")
    accepted, everything, servers = [], [], []
    for _ in range(STARTS):
        stack.stop()
        began = time.perf_counter()
        stack.start()
        eventually("both servers run", lambda: are_running(stack, {"postgres", "valkey"}))
        servers.append(time.perf_counter() - began)
        eventually("an alert is accepted", lambda: requests.post(url, json=ALERT, timeout=5).status_code == 202)
        accepted.append(time.perf_counter() - began)
        eventually("every program runs", lambda: are_running(stack, PROGRAMS))
        everything.append(time.perf_counter() - began)
        stack.wait_until_running()
    with capsys.disabled():
        print(f"\n{STARTS} starts of an existing home, worst of them")
        print(f"{'first durable 202':40} {max(accepted):6.1f} s  (target: 5)")
        print(f"{'every program runs':40} {max(everything):6.1f} s  (target: 12)")
        print(f"{'control: both servers run':40} {max(servers):6.1f} s")
        print(f"{'every program, against the control':40} {max(everything) / max(servers):6.1f} x")


def are_running(stack: Stack, names: set[str]) -> bool:
    written = stack.written()
    running = {one["name"] for one in written["programs"] if one["state"] == "running"}
    return written.get("pid") == stack.pid and names <= running
