"""A Redis that does not answer costs one timeout."""

import pytest
import redis

from shared.hot.connection import connect
from tests.fixtures.silent_server import SilentServer


def test_a_command_that_timed_out_is_not_tried_again(silent_server: SilentServer) -> None:
    with connect(f"redis://127.0.0.1:{silent_server.port}/0") as client, pytest.raises(redis.TimeoutError):
        client.get("quote")

    assert 1 == len(silent_server.accepted)
