"""The rate of quotes that the simulator's market hub sustains, and their lag at a reader."""

import json
from datetime import datetime
from pathlib import Path
from time import monotonic

import psutil
import pytest

from shared.clock import MarketClock, machine_now
from tests.fixtures.figures import line
from tests.fixtures.hubs import RS, ConnectHub
from tests.fixtures.venue import OPEN_AT, RunningVenue

SECONDS = 20
TARGET = 2_000  # quotes a second
ROOTS = ("MNQ", "MES", "ENQ", "EP", "YM", "MYM", "RTY", "M2K", "EU6", "BP6")


@pytest.mark.bench
@pytest.mark.timeout(300)
@pytest.mark.parametrize("contract_count", [1, 10])
def test_quotes_a_second(
    tmp_path: Path, connect_hub: ConnectHub, capsys: pytest.CaptureFixture[str], contract_count: int
) -> None:
    clock = MarketClock(machine_now(), OPEN_AT)
    density = ["--prints-per-minute", str(TARGET * 60 // contract_count)]
    venue = RunningVenue(tmp_path / "simulator", clock, ["--seed", "7", *density], limits="off")
    try:
        client = connect_hub(venue, "market")
        for root in ROOTS[:contract_count]:
            assert "error" not in client.invoke("SubscribeContractQuotes", f"CON.F.US.{root}.H26")
        process = psutil.Process(venue.process.pid)
        began, spent = monotonic(), sum(process.cpu_times()[:2])
        lags, count = [], 0
        while monotonic() - began < SECONDS:
            records = str(client.socket.recv(timeout=10)).split(RS)[:-1]
            count += sum("GatewayQuote" in record for record in records)
            oldest = json.loads(records[0])
            if oldest.get("target") == "GatewayQuote":
                at = datetime.fromisoformat(oldest["arguments"][1]["timestamp"])
                lags.append((clock.now() - at).total_seconds() * 1000)
        load = (sum(process.cpu_times()[:2]) - spent) / (monotonic() - began)
    finally:
        venue.close()
    half = len(lags) // 2
    with capsys.disabled():
        print(f"\n{contract_count} contracts: {count / SECONDS:6.0f} quotes/s  (target: {TARGET})   CPU {load:4.0%}")
        print(line("lag of the oldest quote of a frame, first half", lags[:half]))
        print(line("the same, second half", lags[half:]))
    assert count / SECONDS >= TARGET * 0.98
