"""Wake-ups in the format that workers read: Celery messages (protocol 2), for Redis in kombu's wrapping.

Built by hand so that a wake-up costs one LPUSH and the receiver needs no Celery; tests compare them with the messages
that Celery itself sends. Sources: Celery's "Message Protocol" page; kombu's virtual transport.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from secrets import token_hex
from typing import Any
from uuid import UUID

from shared.fleets import Queue
from shared.ids import new_id

# Celery's own limit is the backstop if a worker does not end a job at its deadline. The same slot also runs jobs that
# continue it, and some of the backlog.
_GRACE_S = 300

BATCH = ".batch"


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A message to a queue: one job may be due, or, with `most`, up to that many jobs of one name."""

    job_id: UUID
    name: str
    queue: Queue
    deadline: timedelta | None
    most: int | None = None


def batch_wake_up(name: str, queue: Queue, most: int) -> WakeUp:
    """Return a wake-up for up to `most` jobs of one name; the task `NAME.batch` claims those that are due."""
    return WakeUp(new_id(), name + BATCH, queue, None, most)


def group_by_queue(wake_ups: Sequence[WakeUp]) -> dict[Queue, list[WakeUp]]:
    """Group the wake-ups by their queues, each in the given order."""
    grouped: dict[Queue, list[WakeUp]] = {}
    for wake_up in wake_ups:
        grouped.setdefault(wake_up.queue, []).append(wake_up)
    return grouped


@dataclass(frozen=True, slots=True)
class Message:
    """A wake-up without kombu's wrapping, for AMQP; `properties` have AMQP's names."""

    body: bytes
    headers: dict[str, Any]
    properties: dict[str, Any]


def encode_for_amqp(wake_up: WakeUp) -> Message:
    """Return the message to publish to the AMQP queue of the same name."""
    wrapped = json.loads(encode_for_redis(wake_up))
    kept = ("correlation_id", "reply_to", "delivery_mode", "priority")
    properties = {name: wrapped["properties"][name] for name in kept}
    properties |= {"content_type": wrapped["content-type"], "content_encoding": wrapped["content-encoding"]}
    return Message(base64.b64decode(wrapped["body"]), wrapped["headers"], properties)


def encode_for_redis(wake_up: WakeUp) -> bytes:
    """Return the message to LPUSH onto the Redis list of the same name as the queue."""
    job_id = str(wake_up.job_id)
    arguments = f'["{job_id}"]' if wake_up.most is None else json.dumps([wake_up.queue.value, wake_up.most])
    body = base64.b64encode(f"[{arguments}, {_NO_KEYWORDS}]".encode()).decode()
    template = _template(wake_up.name, wake_up.queue, wake_up.deadline)
    return (template % {"id": job_id, "body": body, "tag": token_hex(16)}).encode()


# Placeholders in the template for the parts that differ between messages.
_ID, _BODY, _TAG = "%(id)s", "%(body)s", "%(tag)s"
_PLACEHOLDERS = 6
_NO_KEYWORDS = '{}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}'


@lru_cache(maxsize=1000)
def _template(name: str, queue: Queue, deadline: timedelta | None) -> str:
    hard_limit = None if deadline is None else deadline.total_seconds() + _GRACE_S
    message = {
        "body": _BODY,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": name,
            "id": _ID,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [hard_limit, None],
            "root_id": _ID,
            "parent_id": None,
            "argsrepr": f"['{_ID}']",
            "kwargsrepr": "{}",
            "origin": "tickwork",
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        },
        "properties": {
            "correlation_id": _ID,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue.value},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": _TAG,
        },
    }
    text = json.dumps(message, separators=(",", ":"))
    assert text.count("%") == _PLACEHOLDERS  # noqa: S101  # no other sign is one in the name of a job or a queue
    return text
