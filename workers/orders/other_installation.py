"""Notices the orders of another installation of Tickwork on an account, by their tags and by our own rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from shared.db.accounts import accounts, installations
from shared.db.engine import limit_lock_wait, suppress_lock_timeout
from shared.db.orders.own_tags import list_own_tags
from shared.domain.accounts.installation import OtherInstallation, installation_of
from shared.domain.orders.order import Origin
from shared.errors import PostponedError
from shared.gateway.wire import VenueOrder
from workers.context import Context

_LOCK_WAIT = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class OthersFound:
    """The installation because of which this one only reads an account, and the venue's ids of its orders."""

    other: OtherInstallation | None = None
    foreign: frozenset[int] = frozenset()


def notice_others(ctx: Context, account_id: int, shown: Sequence[VenueOrder], *, must_record: bool) -> OthersFound:
    """Record another installation of which one of these orders is; return it with its orders, if it may still trade.

    An order whose tag is in our rows is ours, whatever installation it names, as with one database for two homes. Any
    other with a tag of Tickwork is not, also if it bears our own id: ours are committed before they are sent.
    Raise PostponedError, if `must_record`, while another session locks the account.
    """
    foreign = _list_foreign(ctx, account_id, shown)
    if not foreign:
        return OthersFound()
    with ctx.autocommit() as connection:
        account = accounts.get(connection, account_id)
        own = installations.read_own(connection)
    if account is None:
        return OthersFound()
    newest = max(foreign, key=lambda one: one.created_market_at)
    named, market_now = installation_of(newest.tag) or "", ctx.market_now
    seen = OtherInstallation(named, newest.created_market_at, has_our_id=named == own.id)
    known = installations.find_other(account, market_now)
    if seen.is_active(market_now, account.other_gone_market_at) and (
        known is None or known.ordered_market_at < seen.ordered_market_at
    ):
        _record(ctx, account_id, seen, must_record=must_record)
        known = seen
    return OthersFound() if known is None else OthersFound(known, frozenset(one.id for one in foreign))


def find_obstacle(connection: Connection, ctx: Context, account_id: int, origin: Origin) -> str | None:
    """Return why a request of this origin is not acted on while another installation trades the account; else None.

    Exits of a person, an alert or a strategy pass: only those of our own guard and watch do not.
    """
    account = accounts.get(connection, account_id) if origin is Origin.PROTECTOR else None
    return None if account is None else installations.describe_read_only(account, ctx.market_now)


def _list_foreign(ctx: Context, account_id: int, shown: Sequence[VenueOrder]) -> list[VenueOrder]:
    """Return the orders with a tag of Tickwork that are not ours, nor of an earlier database of this installation."""
    tagged = [one for one in shown if one.tag is not None and installation_of(one.tag) is not None]
    if not tagged:
        return []
    tags = {tag for one in tagged if one.tag for tag in (one.tag, one.tag[:-3])}  # -SL and -TP are legs of a bracket
    with ctx.autocommit() as connection:
        ours = list_own_tags(connection, account_id, tags)
        unknown = [one for one in tagged if one.tag and one.tag not in ours and one.tag[:-3] not in ours]
        if not unknown:
            return []
        own = installations.read_own(connection)
    began_market_at = ctx.clock.to_market(own.began_at)
    return [one for one in unknown if installation_of(one.tag) != own.id or one.created_market_at > began_market_at]


def _record(ctx: Context, account_id: int, seen: OtherInstallation, *, must_record: bool) -> None:
    is_recorded = False
    consequence = f"an order of installation {seen.id} on account {account_id} is recorded later"
    with suppress_lock_timeout(consequence), ctx.transaction() as tx:
        limit_lock_wait(tx.connection, _LOCK_WAIT)
        installations.record_other(tx.connection, account_id, seen, ctx.market_now)
        is_recorded = True
    if must_record and not is_recorded:
        reason = f"another installation ({seen.id}) trades account {account_id}, whose row another session locks"
        raise PostponedError(reason, _LOCK_WAIT)
