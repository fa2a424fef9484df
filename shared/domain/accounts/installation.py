"""Other installations of Tickwork that trade the same account: how tags name them, and when this one only reads."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.domain.orders.order import Role

# An installation whose newest order is older than this is taken to be gone. In market time: more than a trading day.
ACTIVE_FOR = timedelta(hours=24)
_TAG = re.compile(r"tw-([0-9a-f]{8})-[0-9a-f]{32}(-SL|-TP)?")


def make_tag(installation: str, order_id: UUID, role: Role) -> str:
    """Return the tag of an order at the venue, which is stored with the order, so every process sends the same one.

    That of an exit ends in `-X`: an installation that only reads may send exits, and trades no account by them.
    """
    return f"tw-{installation}-{order_id.hex}{'-X' if role is Role.EXIT else ''}"


def installation_of(tag: str | None) -> str | None:
    """Return the installation that placed the order with this tag, or its parent; None for another tag or an exit."""
    found = None if tag is None else _TAG.fullmatch(tag)
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class OtherInstallation:
    """An installation that is not this one, and when the newest order of it was created at the venue.

    One that `has_our_id` is a copy of this one; or this one is of a backup that is older than the order.
    """

    id: str
    ordered_market_at: datetime
    has_our_id: bool = False

    def is_active(self, market_now: datetime, gone_market_at: datetime | None) -> bool:
        """Whether it may still trade: by a recent order, later than the time at which a person said that it is gone."""
        is_gone = gone_market_at is not None and self.ordered_market_at <= gone_market_at
        return not is_gone and self.ordered_market_at > market_now - ACTIVE_FOR

    def describe(self, account_id: int) -> str:
        """Return why this installation only reads the account, and what to do."""
        at = f"{self.ordered_market_at:%Y-%m-%d %H:%M:%S} UTC"
        if self.has_our_id:
            return (
                f"an order placed on it at {at} of market time bears the id of this installation ({self.id}) and is "
                "not in its database: home or database was copied, or restored from a backup. So this one only reads: "
                "no entry, no guard, no flattening of its own. Stop the other copy if there is one, check positions "
                f"and orders at the venue, then `tickwork accounts take-over {account_id}`"
            )
        return (
            f"another installation of Tickwork ({self.id}) placed an order on it at {at} of market time, so this one "
            "only reads: no entry, no guard, no flattening of its own. Stop one of the two; if the other is gone, "
            f"`tickwork accounts take-over {account_id}`"
        )
