"""The wake-up as a worker reads it: a Celery message (protocol 2), for Redis in kombu's wrapping.

Written by hand so that a wake-up costs one LPUSH and the receiver needs no Celery; tests hold it against the messages
that Celery itself would send. Sources: Celery's "Message Protocol" page; kombu's virtual transport.
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

_GRACE_S = 15  # Celery's own limit is the backstop behind the child's deadline and one hand-over


BATCH = ".batch"


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Tells one queue that one job may be due; with `most`, that up to so many jobs of one name may be."""

    job_id: UUID
    name: str
    queue: Queue
    deadline: timedelta | None
    most: int | None = None


def batch_wake_up(name: str, queue: Queue, most: int) -> WakeUp:
    """Return a wake-up for any jobs of one name: the task `NAME.batch` finds out which."""
    return WakeUp(new_id(), name + BATCH, queue, None, most)


def by_queue(wake_ups: Sequence[WakeUp]) -> dict[Queue, list[WakeUp]]:
    """Return the wake-ups of each queue, in their order."""
    sorted_out: dict[Queue, list[WakeUp]] = {}
    for wake_up in wake_ups:
        sorted_out.setdefault(wake_up.queue, []).append(wake_up)
    return sorted_out


@dataclass(frozen=True, slots=True)
class Message:
    """A wake-up without a wrapping, as AMQP carries it; `properties` have AMQP's names."""

    body: bytes
    headers: dict[str, Any]
    properties: dict[str, Any]


def unwrapped(wake_up: WakeUp) -> Message:
    """Return the message to publish to the AMQP queue named like the queue."""
    wrapped = json.loads(encoded(wake_up))
    kept = ("correlation_id", "reply_to", "delivery_mode", "priority")
    properties = {name: wrapped["properties"][name] for name in kept}
    properties |= {"content_type": wrapped["content-type"], "content_encoding": wrapped["content-encoding"]}
    return Message(base64.b64decode(wrapped["body"]), wrapped["headers"], properties)


def encoded(wake_up: WakeUp) -> bytes:
    """Return the message to LPUSH onto the list named like the queue."""
    job_id = str(wake_up.job_id)
    arguments = [job_id] if wake_up.most is None else [wake_up.queue.value, wake_up.most]
    body = base64.b64encode(f"[{json.dumps(arguments)}, {_NO_KEYWORDS}]".encode()).decode()
    message = _template(wake_up.name, wake_up.queue, wake_up.deadline)
    return message.replace(_ID, job_id).replace(_BODY_MARK, body).replace(_TAG, token_hex(16)).encode()


# What differs from message to message is put into the place of these marks.
_ID, _BODY_MARK, _TAG = "<job id>", "<body>", "<delivery tag>"
_NO_KEYWORDS = '{}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}'


@lru_cache(maxsize=1000)
def _template(name: str, queue: Queue, deadline: timedelta | None) -> str:
    hard_limit = None if deadline is None else 2 * deadline.total_seconds() + _GRACE_S
    message = {
        "body": _BODY_MARK,
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
    return json.dumps(message, separators=(",", ":"))
