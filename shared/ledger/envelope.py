"""The wake-up as a worker reads it from Redis: a Celery message (protocol 2) in kombu's wrapping.

Written by hand so that a wake-up costs one LPUSH and the receiver needs no Celery; a test holds it against the
message that Celery itself would send. Sources: Celery's "Message Protocol" page; kombu's virtual transport.
"""

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from shared.fleets import Queue

_GRACE_S = 15  # Celery's own limit is the backstop behind the child's deadline and one hand-over


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Tells one queue that one job may be due."""

    job_id: UUID
    name: str
    queue: Queue
    deadline: timedelta | None


def encoded(wake_up: WakeUp) -> bytes:
    """Return the message to LPUSH onto the list named like the queue."""
    job_id = str(wake_up.job_id)
    body = [[job_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    hard_limit = None if wake_up.deadline is None else 2 * wake_up.deadline.total_seconds() + _GRACE_S
    message = {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": wake_up.name,
            "id": job_id,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [hard_limit, None],
            "root_id": job_id,
            "parent_id": None,
            "argsrepr": f"['{job_id}']",
            "kwargsrepr": "{}",
            "origin": "tickwork",
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        },
        "properties": {
            "correlation_id": job_id,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": str(wake_up.queue)},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }
    return json.dumps(message, separators=(",", ":")).encode()
