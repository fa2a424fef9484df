"""The market of a stack: the real venue, a recorded file or a seeded simulation, and its clock."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from shared.clock import MarketClock, live_clock, machine_now
from shared.config import Settings
from shared.db.market_data.market_clock import MarketRow
from shared.db.migrate import START_FRESH
from shared.domain.counting import count_of
from shared.domain.market_data.calendar import CHICAGO, calendar_of
from shared.domain.market_data.holidays import LAST_DAY, is_covered
from shared.errors import OutsideCalendarError, SettingsError

FASTEST = 60
DEFAULT_SEED = 7
DEFAULT_CONTRACTS = ("MNQ", "MES")
# A tenth below the venue's limit of requests for bars. Beat requests bars once per contract and market minute, and at
# most once per second of this computer.
_BARS_PER_30_S = 45
_LEFT_IN_SESSION = timedelta(minutes=30)
_AFTER_OPEN = timedelta(minutes=5)
_NEXT_SESSION_WITHIN = timedelta(days=10)
_YEAR_OF_WEEKS = timedelta(weeks=52)
_SEEDED_GROUP = "equity"
_LONGEST_NAME, _DIGEST = 40, 8


@dataclass(frozen=True, slots=True)
class MarketChoice:
    """One market. `simulator` holds the arguments of the simulator's program; empty for the real venue."""

    name: str  # part of the database's name
    kind: str  # live, seeded or replay
    title: str
    contracts: tuple[str, ...]  # roots to track; empty: every root of the market
    speed: int | None = None  # None: the known speed of the market, else 1
    simulator: tuple[str, ...] = ()
    starts_market_at: datetime | None = None
    ends_market_at: datetime | None = None


def choose_market(
    settings: Settings,
    *,
    replay: Path | None = None,
    seed: int | None = None,
    speed: int | None = None,
    starts_market_at: datetime | None = None,
) -> MarketChoice:
    """Return the market of the options and settings; raise SettingsError for an invalid combination."""
    venue = settings.venue
    has_credentials = bool(venue.url and venue.user and venue.key)
    contracts = tuple(dict.fromkeys(settings.contracts)) or DEFAULT_CONTRACTS
    if starts_market_at is not None and (replay is not None or (seed is None and has_credentials)):
        raise SettingsError(
            "--at is for a seeded market only: a recorded market begins with its file, the real one runs now"
        )
    if replay is None and seed is None and has_credentials:
        if speed not in {None, 1}:
            raise SettingsError(f"--speed {speed} is for the simulator only: the real market runs at its own pace")
        host = urlsplit(venue.url).hostname or venue.url
        return MarketChoice(_to_database_name(host), "live", f"the venue {host}", contracts, 1)
    if replay is None and seed is None and (venue.url or venue.user or venue.key):
        raise SettingsError(
            "incomplete credentials, some are set and some are not: set TICKWORK_VENUE_URL, TICKWORK_VENUE_USER and "
            "TICKWORK_VENUE_KEY for the real venue, or none of them for the simulator"
        )
    if speed is not None and not 1 <= speed <= FASTEST:
        raise SettingsError(f"invalid --speed '{speed}': expected a whole number from 1 to {FASTEST}")
    if replay is not None:
        return _choose_recording(replay.resolve(), speed)
    number = DEFAULT_SEED if seed is None else seed
    if starts_market_at is not None:
        _check_open(starts_market_at)
    return MarketChoice(
        f"sim_seed_{number}",
        "seeded",
        f"a simulated market (seed {number}) in an open session: no real order is sent",
        contracts,
        speed,
        ("--seed", str(number)),
        starts_market_at,
    )


def _check_open(at: datetime) -> None:
    calendar = calendar_of(_SEEDED_GROUP)
    try:
        opens = None if calendar.is_open(at) else calendar.next_session(at).opens
    except OutsideCalendarError as error:
        raise SettingsError(f"invalid --at: {error}") from None
    if opens is not None:
        raise SettingsError(
            f"invalid --at '{at.astimezone(CHICAGO):%Y-%m-%dT%H:%M}': the market is closed at this time in Chicago, "
            f"and opens at {opens.astimezone(CHICAGO):%Y-%m-%dT%H:%M}"
        )


def check_speed(market: MarketChoice, speed: int, *, limits: bool) -> None:
    """Raise SettingsError if the venue's request limits cannot serve the contracts at this speed."""
    wanted = max(len(market.contracts), 1) * speed / 60 * 30
    if limits and wanted > _BARS_PER_30_S:
        fits = int(_BARS_PER_30_S * 2 / max(len(market.contracts), 1))
        slower = f"use --speed {fits} or less, " if fits else "use "
        raise SettingsError(
            f"{count_of(len(market.contracts), 'contract')} at speed {speed} need {wanted:.0f} requests for bars in "
            f"30 s, and the venue allows {_BARS_PER_30_S}: {slower}fewer roots (`tickwork config set contracts "
            "ROOTS`), or --limits off"
        )


def resolve_market_row(market: MarketChoice, known: MarketRow | None) -> MarketRow:
    """Return the market's row: the known row, moved forward if a seeded market is closed, or a new one.

    Raise SettingsError when the database belongs to another market, or runs at another speed.
    """
    if known is None:
        return _create_row(market)
    # Compare the kind too: a recorded file may have the venue's name.
    if (known.kind, known.market) != (market.kind, market.name):
        raise SettingsError(
            f"this database belongs to the {known.kind} market {known.market}, and the {market.kind} market "
            f"{market.name} was requested: simulated and real fills must never mix; "
            "set DATABASE_URL to another database"
        )
    if market.speed is not None and market.speed != known.clock.speed:
        raise SettingsError(
            f"this market runs at speed {known.clock.speed} since its start: leave --speed {market.speed} out, "
            "or start a new database with --fresh"
        )
    if market.kind == "seeded" and market.starts_market_at is not None:
        raise SettingsError(
            f"this market has started, and its time is {known.clock.now().astimezone(CHICAGO):%Y-%m-%dT%H:%M} in "
            "Chicago: leave --at out, or start a new database with --fresh"
        )
    if market.kind != "seeded":
        return known
    now = known.clock.now()
    if not is_covered(now.astimezone(CHICAGO).date()):
        raise _past_the_table()
    try:
        opens = next_tradable_time(now)
    except OutsideCalendarError:
        raise _past_the_table() from None
    return known if opens == now else replace(known, clock=_start_clock(opens, known.clock.speed))


def _create_row(market: MarketChoice) -> MarketRow:
    speed = market.speed or 1
    if market.kind == "live":
        return MarketRow(market.name, market.kind, live_clock())
    starts = market.starts_market_at or next_tradable_time(covered_time(machine_now()))
    return MarketRow(market.name, market.kind, _start_clock(starts, speed), market.ends_market_at)


def _start_clock(market_now: datetime, speed: int) -> MarketClock:
    return MarketClock(machine_now(), market_now, speed)


def covered_time(at: datetime) -> datetime:
    """Return `at`; beyond the holiday table the same hour whole weeks earlier, in its last year. For a new market."""
    while at.astimezone(CHICAGO).date() > LAST_DAY - _NEXT_SESSION_WITHIN:
        at -= _YEAR_OF_WEEKS
    return at


def _past_the_table() -> SettingsError:
    return SettingsError(
        f"the time of this market has come to {LAST_DAY}, where the holiday table ends: start a new database with "
        f"{START_FRESH}"
    )


def next_tradable_time(at: datetime) -> datetime:
    """Return `at` if the session allows entries for another 30 minutes, else 5 minutes after the next open.

    Raise OutsideCalendarError if the holiday table does not reach that session.
    """
    calendar = calendar_of(_SEEDED_GROUP)
    session = calendar.session_at(at)
    if session and at < session.flat_by - _LEFT_IN_SESSION:
        return at
    return calendar.next_session(at).opens + _AFTER_OPEN


def _choose_recording(file: Path, speed: int | None) -> MarketChoice:
    done = subprocess.run(
        [sys.executable, "-m", "simulator.describe", file], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SettingsError(f"--replay: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    name = _to_database_name(file.name.removesuffix(".gz").removesuffix(".csv"))
    return MarketChoice(
        name,
        "replay",
        f"a replay of {file.name} ({found['contract']}{found['note'] and '; '}{found['note']}): no real order is sent",
        (),
        speed,
        ("--replay", str(file)),
        datetime.fromisoformat(found["starts"]),
        datetime.fromisoformat(found["ends"]),
    )


def _to_database_name(text: str) -> str:
    """Return a database name for the text; a digest keeps long texts with the same beginning apart."""
    plain = "".join(character if character.isalnum() else "_" for character in text.lower())
    if len(plain) <= _LONGEST_NAME:
        return plain
    digest = hashlib.sha256(text.lower().encode()).hexdigest()[:_DIGEST]
    return f"{plain[: _LONGEST_NAME - _DIGEST - 1]}_{digest}"
