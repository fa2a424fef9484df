"""The events that a worker's process sends for jobs without a wake-up of their own."""

from datetime import timedelta

import pytest
from celery import Celery

from shared.clock import machine_now
from shared.ids import new_id
from shared.ledger.recovery import LostJob
from tests.fixtures.silent_server import SilentServer
from workers.run_events import RunEvents


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
    assert ["the events of 1 job(s) did not reach Flower, they are sent later"] == [
        one.split(":")[0] for one in caplog.messages
    ]
