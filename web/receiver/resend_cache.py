"""A cache of the alerts that may have been stored although their answer was a 5xx."""

from collections import OrderedDict
from uuid import UUID

from shared.clock import monotonic
from shared.ids import new_id

_KEPT_S = 60.0  # TradingView sends an alert again 5 s after a 503, at most three times
_MOST = 1_000


class ResendCache:
    """Gives the resend of an unanswered alert the delivery id of its first delivery, so that it is no second order.

    This matters for alerts without an id or a time, which have no other difference. The ids are lost when the program
    ends.
    """

    def __init__(self) -> None:
        self._delivery_ids: OrderedDict[bytes, tuple[UUID, float]] = OrderedDict()

    def delivery_id_of(self, fingerprint: bytes) -> UUID:
        """Return the delivery id of the alert: a new one, unless its last delivery was answered with a 5xx."""
        delivery_id, noted = self._delivery_ids.pop(fingerprint, (None, 0.0))
        return delivery_id if delivery_id is not None and monotonic() - noted <= _KEPT_S else new_id()

    def note(self, fingerprint: bytes, delivery_id: UUID) -> None:
        """Keep the delivery id of an alert that was answered with a 5xx."""
        self._delivery_ids[fingerprint] = (delivery_id, monotonic())
        if len(self._delivery_ids) > _MOST:
            self._delivery_ids.popitem(last=False)
