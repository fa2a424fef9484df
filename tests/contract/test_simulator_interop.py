"""The forms of request that other people's clients send and the venue takes; tests/clients run such clients."""

from collections.abc import Iterator

import pytest

from tests.fixtures.hubs import ConnectHub
from tests.fixtures.venue import MNQ, RunningVenue, starting_venues


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("interop")) as start:
        yield start()


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
