"""A simulator for one test of a client."""

import pytest

from tests.clients.programs import start_live_venue
from tests.fixtures.venue import RunningVenue, StartVenue


@pytest.fixture
def live_venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator in the present, whose price moves by itself."""
    return start_live_venue(start_venue)


@pytest.fixture
def still_venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator in the present, whose MNQ stays at 25000 until a program moves it."""
    return start_live_venue(start_venue, is_still=True)
