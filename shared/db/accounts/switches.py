"""The switches of an account that a person sets: what becomes of its entries, and whether they wait for approval."""

from sqlalchemy import Connection, func

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import Actor


def switch_live(
    connection: Connection, before: AccountRow, actor: Actor, switch: str, *, reason: str | None = None
) -> None:
    """Allow orders to the real venue (`on`), stop them (`off`), or record entries without sending them (`shadow`).

    Positions opened while orders were allowed can still be closed. `before` is the locked row.
    """
    is_on, is_shadow = switch == "on", switch == "shadow"
    accounts.change_by_hand(
        connection, before, actor, f"live_{switch}", reason=reason, live_orders=is_on, is_shadow=is_shadow
    )
    if is_on:
        accounts.change(connection, before.id, live_since_at=func.now())
    told = "shadow mode" if is_shadow else f"live orders {switch}"
    accounts.record_event(connection, before.id, f"live_{switch}", f"{told}, by hand")


def switch_approval(
    connection: Connection, before: AccountRow, actor: Actor, *, is_on: bool, reason: str | None = None
) -> None:
    """Let the entries of alerts and strategies wait for a person, or no longer; `before` is the locked row."""
    switch = "on" if is_on else "off"
    accounts.change_by_hand(connection, before, actor, f"approval_{switch}", reason=reason, is_approval_required=is_on)
    accounts.record_event(connection, before.id, f"approval_{switch}", f"approval of entries {switch}, by hand")
