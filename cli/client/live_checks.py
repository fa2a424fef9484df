"""The checks of what makes the venue reject, or us deny, every order of an account: for `doctor` and `setup live`."""

from datetime import timedelta

from sqlalchemy import Connection

from cli.client.risk_view import require_market
from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import contracts
from shared.db.orders import bracket_evidence
from shared.domain.accounts.stage import Stage, describe_unknown, parse_stage
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.tracking import sort_roots
from shared.domain.orders.bracket_setting import TO_DO
from shared.domain.risk.findings import chicago_time
from shared.domain.risk.preconditions import check_session
from shared.errors import MarketClosedError, OutsideCalendarError, RetryableError, SettingsError, TickworkError
from shared.gateway.rest.venue_time import measure_clock_difference
from shared.overview.stack_problems import describe_unknown_root

WARNED_FROM, WRONG_FROM = timedelta(seconds=2), timedelta(seconds=30)
_SET_CLOCK = "set the clock by the network (Linux: `timedatectl set-ntp true`), then restart the stack"


class CheckWarningError(TickworkError):
    """Nothing is wrong, but a person should know it: a check that raises it is a warning."""


def list_live_accounts(connection: Connection) -> list[AccountRow]:
    """Return the accounts whose orders reach the real venue; none at the simulator."""
    is_simulated = require_market(connection).kind != "live"
    return [one for one in accounts.list_all(connection) if one.live_status(is_simulated=is_simulated) == "LIVE"]


def check_account(account: AccountRow) -> str:
    """Return that the account may be traded; raise SettingsError if each of its orders is denied or rejected."""
    if parse_stage(account.name) is Stage.UNKNOWN:
        raise SettingsError(describe_unknown(account.name))
    if not account.can_trade:
        raise SettingsError(
            f"{account.name} ({account.id}): the venue does not let it trade, so every entry is denied: the firm's "
            "dashboard says why"
        )
    return f"{account.name} ({account.id}): {parse_stage(account.name).value}, the venue lets it trade"


def check_brackets(connection: Connection, account: AccountRow) -> str:
    """Return that the venue accepted the account's newest entry with a bracket.

    Raise SettingsError if it rejected that entry for the account's setting, CheckWarningError while nothing shows it.
    """
    name = f"{account.name} ({account.id})"
    evidence = bracket_evidence.find_newest(connection, account.id)
    practice = f"then `tickwork setup live --account {account.id}`"
    if evidence is None:
        raise CheckWarningError(
            f"{name}: it is not known whether the firm's setting Auto OCO Brackets is on, without which every entry is "
            f"rejected, as no entry was sent yet: {TO_DO}; {practice} shows it"
        )
    at = f"{evidence.submitted_at:%Y-%m-%d %H:%M} UTC"
    if not evidence.is_accepted:
        raise SettingsError(f"{name}: the venue rejected the bracket of its entry at {at}: {TO_DO}; {practice}")
    return f"{name}: the venue accepted the bracket of its entry at {at}"


def check_clock(venue_url: str) -> str:
    """Return how well this computer's clock agrees with the venue's.

    Raise CheckWarningError from 2 s on, or if the venue does not say its time, and SettingsError from 30 s on.
    """
    try:
        ahead = measure_clock_difference(venue_url)
    except RetryableError as error:
        raise CheckWarningError(f"not compared with the venue's: {error}") from None
    return describe_clock(ahead)


def describe_clock(ahead: timedelta, other: str = "the venue's") -> str:
    """Return that a clock which is `ahead` of the other is right; raise as `check_clock` does."""
    off = abs(ahead)
    if off < WARNED_FROM:
        return f"less than 2 s from {other}"
    side = "ahead of" if ahead > timedelta(0) else "behind"
    found = f"this computer's clock is {off.total_seconds():.0f} s {side} {other}"
    if off < WRONG_FROM:
        raise CheckWarningError(f"{found}: sessions, expiries and flat-by times are off by as much: {_SET_CLOCK}")
    raise SettingsError(f"{found}: entries expire, or go out, at the wrong time, and flat-by comes late: {_SET_CLOCK}")


def check_contract(connection: Connection, root: str) -> str:
    """Return the active month of a root and whether the firm takes new positions in it now, or from when.

    Raise SettingsError if its active month or its market hours are not known.
    """
    if root not in ROOTS:
        raise SettingsError(describe_unknown_root(root))
    contract = contracts.find_active(connection, root)
    if contract is None:
        raise SettingsError(
            f"{root}: the venue offers no single active month of it, so every entry is denied: `tickwork jobs --name "
            "market_data.refresh_contracts` shows the last look at its list"
        )
    clock = require_market(connection).clock
    try:
        check_session(calendar_of(ROOTS[root].group), contract, clock.now(), speed=clock.speed)
    except MarketClosedError as error:
        opens = "" if error.opens_market_at is None else f", entries from {chicago_time(error.opens_market_at)}"
        return f"{contract.id}: closed{opens}"
    except OutsideCalendarError as error:
        raise SettingsError(f"{contract.id}: {error}") from None
    return f"{contract.id}: open"


def list_roots(connection: Connection, settings: Settings) -> list[str]:
    """Return the roots that this stack tracks or should track, in the order of the setting."""
    return sort_roots({*contracts.list_tracked_roots(connection), *settings.contracts}, settings.contracts)
