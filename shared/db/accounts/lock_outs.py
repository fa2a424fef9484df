"""Lock-outs: times until which a person lets an account enter nothing; nothing shortens or lifts one."""

from datetime import datetime

from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import Actor
from shared.domain.risk.findings import chicago_time
from shared.errors import RefusedError


def lock_out(
    connection: Connection, before: AccountRow, actor: Actor, until_market_at: datetime, reason: str | None
) -> None:
    """Lock an account out, or prolong its lock-out: `before` is the locked row; raise RefusedError to shorten one."""
    earlier = before.locked_out_until_market_at
    if earlier is not None and until_market_at <= earlier:
        raise RefusedError(
            f"account {before.id} ({before.name}) is locked out until {chicago_time(earlier)}: a lock-out can be "
            "prolonged, and neither shortened nor lifted"
        )
    accounts.change_by_hand(
        connection, before, actor, "lock_out", reason=reason, locked_out_until_market_at=until_market_at
    )
    accounts.record_event(connection, before.id, "locked_out", f"until {chicago_time(until_market_at)}, by hand")
