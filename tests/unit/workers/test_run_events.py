"""The events that a worker's process sends for jobs without a wake-up of their own."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from celery import Celery

from shared.clock import machine_now
from shared.ids import new_id
from shared.ledger.recovery import LostJob
from workers.run_events import RunEvents


class SilentServer:
    """Accepts connections and never answers."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.accepted: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self.accepted.append(self._listening.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        """Close every connection."""
        self._listening.shutdown(socket.SHUT_RDWR)
        for one in (self._listening, *self.accepted):
            one.close()


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


def test_a_broker_that_does_not_answer_is_not_asked_again_for_a_while(
    silent_server: SilentServer, caplog: pytest.LogCaptureFixture
) -> None:
    events = RunEvents(Celery("events", broker=f"redis://127.0.0.1:{silent_server.port}/0"), "normal@here")
    lost = LostJob(new_id(), "bars.fetch", "dead", "its process was lost", machine_now(), timedelta(seconds=1))

    events.send_lost([lost])
    asked = len(silent_server.accepted)
    events.send_lost([lost])

    assert asked > 0
    assert asked == len(silent_server.accepted)
    assert ["the events of 1 job(s) did not reach Flower"] == [one.split(":")[0] for one in caplog.messages]
