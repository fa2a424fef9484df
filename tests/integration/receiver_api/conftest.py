"""The client of the tests of /v1."""

from collections.abc import Iterator

import pytest

from tests.fixtures.api_client import ApiClient
from tests.fixtures.receiver_process import ReceiverProcess


@pytest.fixture
def api(receiver: ReceiverProcess) -> Iterator[ApiClient]:
    """A client of a receiver without other tokens; its own is scoped for jobs that move no money."""
    client = ApiClient(receiver)
    yield client
    client.close()
