"""A wake-up that we build by hand equals the message that Celery sends."""

import base64
import json
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
import redis
from celery import Celery

from shared.fleets import Queue
from shared.ledger.envelope import WakeUp, encode_for_redis

_DIFFERS = {"origin", "timelimit", "reply_to", "delivery_tag"}  # the sender, and values that we choose


class Sent(NamedTuple):
    job_id: UUID
    message: dict[str, Any]


@pytest.fixture
def celery_message(redis_url: str) -> Sent:
    app = Celery(broker=redis_url, set_as_current=False)
    app.conf.broker_transport_options = {"priority_steps": [0]}
    job_id = uuid4()
    app.send_task("upkeep.do_nothing", args=[str(job_id)], task_id=str(job_id), queue="critical", ignore_result=True)
    app.pool.force_close_all()  # type: ignore[attr-defined]  # a pool of connections; its stub has one of producers
    client = redis.Redis.from_url(redis_url)
    raw = client.rpop("critical")
    client.close()
    assert isinstance(raw, bytes)
    return Sent(job_id, json.loads(raw))


def test_a_wake_up_has_the_fields_and_values_of_celerys_message(celery_message: Sent) -> None:
    job_id, theirs = celery_message
    ours = json.loads(encode_for_redis(WakeUp(job_id, "upkeep.do_nothing", Queue.CRITICAL, timedelta(seconds=30))))

    assert json.loads(base64.b64decode(theirs["body"])) == json.loads(base64.b64decode(ours["body"]))
    for part in ("headers", "properties"):
        expected = {key: value for key, value in theirs[part].items() if key not in _DIFFERS}
        assert expected == {key: value for key, value in ours[part].items() if key not in _DIFFERS}
    assert set(theirs) == set(ours)
