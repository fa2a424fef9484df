"""The wake-up we write by hand is the message Celery would send."""

import base64
import json
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
import redis
from celery import Celery

from shared.fleets import Queue
from shared.ledger.envelope import WakeUp, encoded

_DIFFERS = {"origin", "timelimit", "reply_to", "delivery_tag"}  # who sends it, and what we choose ourselves


class Sent(NamedTuple):
    job_id: UUID
    message: dict[str, Any]


@pytest.fixture
def sent_by_celery(redis_url: str) -> Sent:
    app = Celery(broker=redis_url, set_as_current=False)
    app.conf.broker_transport_options = {"priority_steps": [0]}
    job_id = uuid4()
    app.send_task("upkeep.do_nothing", args=[str(job_id)], task_id=str(job_id), queue="critical", ignore_result=True)
    app.pool.force_close_all()  # type: ignore[attr-defined]  # of connections; its stub says of producers
    client = redis.Redis.from_url(redis_url)
    raw = client.rpop("critical")
    client.close()
    assert isinstance(raw, bytes)
    return Sent(job_id, json.loads(raw))


def test_it_has_the_fields_and_values_of_celerys_own_message(sent_by_celery: Sent) -> None:
    job_id, theirs = sent_by_celery
    ours = json.loads(encoded(WakeUp(job_id, "upkeep.do_nothing", Queue.CRITICAL, timedelta(seconds=30))))

    assert json.loads(base64.b64decode(theirs["body"])) == json.loads(base64.b64decode(ours["body"]))
    for part in ("headers", "properties"):
        expected = {key: value for key, value in theirs[part].items() if key not in _DIFFERS}
        assert expected == {key: value for key, value in ours[part].items() if key not in _DIFFERS}
    assert set(theirs) == set(ours)
