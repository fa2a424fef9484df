"""This installation's id, and the other installation that was seen to trade an account."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import Actor
from shared.db.tables.accounts import account, installation
from shared.domain.accounts.installation import OtherInstallation
from shared.errors import RefusedError


@dataclass(frozen=True, slots=True)
class OwnInstallation:
    """This installation: its id, and since when this database has every order that it places."""

    id: str
    began_at: datetime


def read_own(connection: Connection) -> OwnInstallation:
    """Return this installation; its id is that of the home whose `up` started last, else the database's own."""
    return OwnInstallation(*connection.execute(select(installation.c.id, installation.c.began_at)).one())


def write_own(connection: Connection, installation_id: str) -> None:
    """Store the id of this installation: by `up`, before any program starts, or by a person who takes over.

    Orders of this id from before it was stored may be in another database of the same home.
    """
    statement = insert(installation).values(is_only=True, id=installation_id)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["is_only"],
            set_={"id": installation_id, "began_at": func.now()},
            where=installation.c.id != installation_id,
        )
    )


def find_other(row: AccountRow, market_now: datetime) -> OtherInstallation | None:
    """Return the other installation because of which this one only reads the account, or None."""
    if row.other_installation is None or row.other_ordered_market_at is None:
        return None
    has_our_id = row.other_installation == row.own_installation
    other = OtherInstallation(row.other_installation, row.other_ordered_market_at, has_our_id)
    return other if other.is_active(market_now, row.other_gone_market_at) else None


def may_act_for(row: AccountRow, *, is_simulated: bool) -> bool:
    """Whether programs may send orders of their own: at the real venue only if its live orders were ever on."""
    return is_simulated or row.live_since_at is not None


def may_guard(row: AccountRow, market_now: datetime, *, is_simulated: bool) -> bool:
    """Whether programs may protect and close positions by themselves: not while another installation trades them."""
    return may_act_for(row, is_simulated=is_simulated) and find_other(row, market_now) is None


def describe_read_only(row: AccountRow, market_now: datetime) -> str | None:
    """Return why this installation only reads the account, and what to do; None if it acts on it."""
    other = find_other(row, market_now)
    return None if other is None else other.describe(row.id)


def record_other(connection: Connection, account_id: int, seen: OtherInstallation, market_now: datetime) -> None:
    """Record the newest order of another installation, unless a later one is known; lock the account."""
    before = accounts.lock(connection, account_id)
    known_at = account.c.other_ordered_market_at
    is_newer = or_(known_at.is_(None), known_at < seen.ordered_market_at)
    values = {"other_installation": seen.id, "other_ordered_market_at": seen.ordered_market_at}
    statement = update(account).where(account.c.id == account_id, is_newer)
    connection.execute(statement.values(**values, updated_at=func.now()))
    after = accounts.get(connection, account_id)
    if before is None or after is None or find_other(before, market_now) is not None:
        return
    reason = describe_read_only(after, market_now)
    if reason is not None:
        accounts.record_event(connection, account_id, "read_only", reason)


def take_over(
    connection: Connection,
    before: AccountRow,
    actor: Actor,
    market_now: datetime,
    gone: OtherInstallation | None,
    *,
    reason: str | None,
    new_id: str,
) -> OtherInstallation:
    """Act on the account again, as a person says that the installation `gone` is: `before` is the locked row.

    A later order of the other one makes it read-only again. Raise RefusedError if no other installation is seen, or if
    it has placed another order than the person was asked about. `new_id` replaces the id of this installation, if the
    other one has it too.
    """
    other = find_other(before, market_now)
    if other is not None and other != gone:
        raise RefusedError(f"installation {other.id} has just placed another order: stop it, and try again")
    if other is None:
        raise RefusedError(
            f"no other installation was seen on account {before.id} ({before.name}) in the last 24 h, so there is "
            "nothing to take over"
        )
    gone_at = max(market_now, other.ordered_market_at)  # the venue's clock may be ahead of ours
    accounts.change_by_hand(connection, before, actor, "take_over", reason=reason, other_gone_market_at=gone_at)
    told = f"installation {other.id} is gone, by hand"
    if other.has_our_id:
        write_own(connection, new_id)
        told = f"{told}; this one is {new_id} from now on"
    accounts.record_event(connection, before.id, "taken_over", told)
    return other
