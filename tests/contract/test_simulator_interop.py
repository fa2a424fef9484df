"""Third-party clients work with the simulator unchanged; the tests of clients not installed are skipped."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.fixtures.hubs import ConnectHub
from tests.fixtures.venue import MNQ, RunningVenue, starting_venues

# The last line of its output is one JSON object.
PROJECT_X_PY = """
import asyncio, json, sys
from project_x_py import ProjectX
from project_x_py.event_bus import EventBus
from project_x_py.models import ProjectXConfig
from project_x_py.order_manager import OrderManager
from project_x_py.realtime import ProjectXRealtimeClient

async def main(url, user, key):
    config = ProjectXConfig(
        api_url=f"{url}/api", user_hub_url=f"{url}/hubs/user", market_hub_url=f"{url}/hubs/market"
    )
    async with ProjectX(username=user, api_key=key, config=config) as client:
        await client.authenticate()
        contract = await client.get_instrument("MNQ")
        realtime = ProjectXRealtimeClient(client.session_token, str(client.account_info.id), config=config)
        seen = set()
        for kind in ("order_update", "trade_execution", "position_update", "account_update", "quote_update"):
            async def note(_, kind=kind):
                seen.add(kind)
            await realtime.add_callback(kind, note)
        assert await realtime.connect()
        await realtime.subscribe_user_updates()
        await realtime.subscribe_market_data([contract.id])
        orders = OrderManager(client, EventBus())
        await orders.initialize(realtime)
        placed = await orders.place_market_order(contract.id, 0, 1)
        for _ in range(300):
            if len(seen) == 5:
                break
            await asyncio.sleep(0.1)
        held = await client.search_open_positions()
        await realtime.disconnect()
        found = {"contract": contract.id, "placed": placed.success, "held": held[0].size, "seen": sorted(seen)}
        print(json.dumps(found))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("interop")) as start:
        yield start()


@pytest.mark.skipif(find_spec("project_x_py") is None, reason="project-x-py is not installed")
def test_project_x_py_logs_in_trades_and_gets_events(venue: RunningVenue) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROJECT_X_PY, venue.url, venue.user, venue.key],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    seen = ["account_update", "order_update", "position_update", "quote_update", "trade_execution"]

    assert {"contract": MNQ, "placed": True, "held": 1, "seen": seen} == found


def test_a_handshake_with_version_0_after_negotiation_0_is_accepted(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    """signalrcore 1.0 does this; .NET accepts any version up to its own."""
    negotiated = venue.send("/hubs/market/negotiate", {}).json()
    client = connect_hub(venue, "market", greeted=False)
    client.say({"protocol": "json", "version": negotiated["negotiateVersion"]})

    assert 0 == negotiated["negotiateVersion"]
    assert {} == client.next(lambda _: True)
    assert "error" not in client.invoke("SubscribeContractQuotes", MNQ)
