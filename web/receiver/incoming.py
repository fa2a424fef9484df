"""An alert that comes in, and its outcome."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.db.alerts.hooks import Hook
from shared.domain.alerts.alert import Alert
from shared.ids import new_id
from web.receiver.check import Refusal


@dataclass(frozen=True, slots=True)
class Incoming:
    """One checked alert of a hook. `received_at` is None for one that arrives now, else when the spool took it.

    `delivery_id` is the same only in a resend; None if the request names none.
    """

    id: UUID
    job_id: UUID
    hook: Hook
    raw: bytes
    checked: Alert | Refusal
    delivery_id: str | None = None
    received_at: datetime | None = None

    @property
    def comes_first(self) -> bool:
        """Whether it is an alert that closes all: such are stored first, and drop the entries before them.

        Any other exit, cancel or move of a stop is about those entries, so it comes after them.
        """
        return isinstance(self.checked, Alert) and self.checked.closes_all


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job of an accepted alert; a duplicate has the job of its first delivery."""

    job_id: UUID
    is_duplicate: bool = False
    is_spooled: bool = False


Outcome = Accepted | Refusal


def new_incoming(hook: Hook, raw: bytes, checked: Alert | Refusal, delivery_id: str | None) -> Incoming:
    """Return an alert that arrives now, with ids of its own."""
    return Incoming(new_id(), new_id(), hook, raw, checked, delivery_id)
