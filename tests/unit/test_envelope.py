"""The wake-up we write by hand is the message Celery would send."""

import base64
import json
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from celery import Celery

from shared.fleets import Queue
from shared.ledger.envelope import WakeUp, encoded

_DIFFERS = {"origin", "timelimit", "reply_to", "delivery_tag"}  # who sends it, and what we choose ourselves


@pytest.fixture
def sent_by_celery(redis_url: str) -> dict[str, object]:
    app = Celery(broker=redis_url, set_as_current=False)
    app.conf.broker_transport_options = {"priority_steps": [0]}
    job_id = str(uuid4())
    app.send_task("upkeep.do_nothing", args=[job_id], task_id=job_id, queue="critical", ignore_result=True)
    app.pool.force_close_all()
    client = redis.Redis.from_url(redis_url)
    raw = client.rpop("critical")
    client.close()
    return {"id": job_id, "message": json.loads(raw)}


def test_it_has_the_fields_and_values_of_celerys_own_message(sent_by_celery: dict[str, object]) -> None:
    theirs = sent_by_celery["message"]
    ours = json.loads(
        encoded(WakeUp(sent_by_celery["id"], "upkeep.do_nothing", Queue.CRITICAL, timedelta(seconds=30)))  # type: ignore[arg-type]  # text serves as well here
    )

    assert json.loads(base64.b64decode(theirs["body"])) == json.loads(base64.b64decode(ours["body"]))  # type: ignore[index]
    for part in ("headers", "properties"):
        expected = {key: value for key, value in theirs[part].items() if key not in _DIFFERS}  # type: ignore[index]
        assert expected == {key: value for key, value in ours[part].items() if key not in _DIFFERS}
    assert set(theirs) == set(ours)  # type: ignore[call-overload]
