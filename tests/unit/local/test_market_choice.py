"""The market that `up` chooses, the refused options, and the clock of a known market."""

import gzip
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from cli.local.market import (
    MarketChoice,
    check_speed,
    choose_market,
    resolve_market_row,
)
from shared.clock import MarketClock, live_clock, machine_now
from shared.config import Settings, load_settings
from shared.db.market_data.market_clock import MarketRow
from shared.domain.market_data.calendar import calendar_of
from shared.errors import SettingsError

VENUE = {"TICKWORK_VENUE_URL": "https://api.topstepx.com", "TICKWORK_VENUE_USER": "me", "TICKWORK_VENUE_KEY": "key"}
SATURDAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
SUNDAY_OPEN = datetime(2026, 11, 22, 23, tzinfo=UTC)  # 17:00 in Chicago
MONDAY_NIGHT = datetime(2026, 11, 23, 8, tzinfo=UTC)
BEFORE_FLAT = datetime(2026, 11, 23, 20, 45, tzinfo=UTC)  # 25 minutes before 15:10 in Chicago
THREE_DAYS = 3 * 24 * 60  # lines of a recorded file
MONDAY_OPEN = datetime(2026, 11, 23, 23, tzinfo=UTC)


def settings(**env: str) -> Settings:
    return load_settings({"TICKWORK_HOME": "/nowhere"} | env)


def choose_seeded(**more: str) -> MarketChoice:
    return choose_market(settings(**more))


def known_row(market: MarketChoice, market_now: datetime, speed: int = 1) -> MarketRow:
    return MarketRow(market.name, market.kind, MarketClock(machine_now(), market_now, speed))


def test_without_credentials_the_market_is_simulated_and_its_title_rules_out_real_orders() -> None:
    market = choose_seeded()

    assert ("sim_seed_7", "seeded", ("--seed", "7")) == (market.name, market.kind, market.simulator)
    assert ("MNQ", "MES") == market.contracts
    assert "no real order is sent" in market.title


def test_with_all_credentials_the_market_is_the_venue_and_no_simulator_runs() -> None:
    market = choose_market(settings(**VENUE, TICKWORK_CONTRACTS="mgc"))

    assert ("api_topstepx_com", "live", ()) == (market.name, market.kind, market.simulator)
    assert (("MGC",), 1) == (market.contracts, market.speed)


def test_long_names_with_a_common_prefix_are_different_markets() -> None:
    hosts = [f"https://api.{'x' * 50}.{end}" for end in ("projectx.com", "projectx.net")]
    names = {choose_market(settings(**VENUE | {"TICKWORK_VENUE_URL": host})).name for host in hosts}

    assert 2 == len(names)
    assert all(len(name) == 40 for name in names)


def test_a_seed_overrides_credentials() -> None:
    assert "sim_seed_11" == choose_market(settings(**VENUE), seed=11).name


@pytest.mark.parametrize(
    "missing",
    [
        {"TICKWORK_VENUE_USER"},
        {"TICKWORK_VENUE_KEY"},
        {"TICKWORK_VENUE_URL"},
        {"TICKWORK_VENUE_URL", "TICKWORK_VENUE_KEY"},
        {"TICKWORK_VENUE_URL", "TICKWORK_VENUE_USER"},
    ],
    ids=sorted,
)
def test_incomplete_credentials_are_refused(missing: set[str]) -> None:
    partly = {name: value for name, value in VENUE.items() if name not in missing}

    with pytest.raises(SettingsError, match="some are set and some are not") as refused:
        choose_market(settings(**partly))
    assert all(name in str(refused.value) for name in VENUE)


def test_a_seeded_market_begins_at_the_given_time_only_once() -> None:
    market = choose_market(settings(), starts_market_at=SUNDAY_OPEN)

    assert SUNDAY_OPEN <= resolve_market_row(market, None).clock.now() < SUNDAY_OPEN + timedelta(minutes=1)
    with pytest.raises(SettingsError, match="leave --at out"):
        resolve_market_row(market, known_row(choose_seeded(), MONDAY_NIGHT))


def test_a_start_in_a_closed_market_is_refused_with_the_next_open() -> None:
    with pytest.raises(SettingsError, match=r"2026-11-21T06:00': the market is closed .* opens at 2026-11-22T17:00"):
        choose_market(settings(), starts_market_at=SATURDAY)


def test_only_a_seeded_market_accepts_a_start_time() -> None:
    with pytest.raises(SettingsError, match="--at is for a seeded market only"):
        choose_market(settings(**VENUE), starts_market_at=SUNDAY_OPEN)


@pytest.mark.parametrize("speed", [-1, 0, 61])
def test_a_speed_outside_1_to_60_is_refused(speed: int) -> None:
    with pytest.raises(SettingsError, match="from 1 to 60"):
        choose_market(settings(), speed=speed)


def test_the_real_market_accepts_only_speed_1() -> None:
    assert 1 == choose_market(settings(**VENUE), speed=1).speed
    with pytest.raises(SettingsError, match="its own pace"):
        choose_market(settings(**VENUE), speed=2)


def test_a_speed_beyond_the_request_limits_is_refused_with_a_speed_that_fits() -> None:
    market = choose_seeded(TICKWORK_CONTRACTS="MNQ,MES")

    with pytest.raises(SettingsError, match="use --speed 45 or less, fewer roots"):
        check_speed(market, 46, limits=True)
    check_speed(market, 45, limits=True)


def test_a_contract_named_twice_counts_once() -> None:
    check_speed(choose_seeded(TICKWORK_CONTRACTS="MNQ,mnq,MNQ"), 60, limits=True)


def test_limits_off_allows_any_speed() -> None:
    check_speed(choose_seeded(TICKWORK_CONTRACTS="MNQ,MES,MGC,MCL"), 60, limits=False)


def test_a_replay_counts_its_one_contract() -> None:
    check_speed(MarketChoice("recorded", "replay", "a replay", ()), 60, limits=True)


def test_another_markets_database_is_refused() -> None:
    with pytest.raises(SettingsError, match="the seeded market sim_seed_8, and the seeded market sim_seed_7 was"):
        resolve_market_row(choose_seeded(), MarketRow("sim_seed_8", "seeded", live_clock()))


def test_a_replay_named_like_the_venue_never_enters_the_venues_database() -> None:
    replay = MarketChoice("api_topstepx_com", "replay", "a replay of api_topstepx_com.csv", ())

    with pytest.raises(SettingsError, match="must never mix"):
        resolve_market_row(replay, MarketRow("api_topstepx_com", "live", live_clock()))


def test_a_new_speed_for_a_known_market_is_refused() -> None:
    market = choose_market(settings(), speed=10)

    with pytest.raises(SettingsError, match="runs at speed 5 since its start"):
        resolve_market_row(market, known_row(market, MONDAY_NIGHT, speed=5))


def test_a_known_market_keeps_its_speed_by_default() -> None:
    row = known_row(choose_seeded(), MONDAY_NIGHT, speed=5)

    assert row == resolve_market_row(choose_seeded(), row)


def test_a_seeded_market_in_an_open_session_continues_its_clock() -> None:
    row = known_row(choose_seeded(), MONDAY_NIGHT)

    assert row == resolve_market_row(choose_seeded(), row)


@pytest.mark.parametrize(
    ("before", "opens"),
    [(SATURDAY, SUNDAY_OPEN), (BEFORE_FLAT, MONDAY_OPEN)],
    ids=["closed over the weekend", "too near to the flat time"],
)
def test_a_closed_seeded_market_moves_forward_to_the_next_open(before: datetime, opens: datetime) -> None:
    moved = resolve_market_row(choose_seeded(), known_row(choose_seeded(), before, speed=3))

    assert (opens + timedelta(minutes=5), 3) == (moved.clock.market_origin, moved.clock.speed)
    assert moved.clock.now() >= opens + timedelta(minutes=5)


def test_a_market_that_moved_forward_does_not_move_again() -> None:
    moved = resolve_market_row(choose_seeded(), known_row(choose_seeded(), SATURDAY))

    assert moved == resolve_market_row(choose_seeded(), moved)


def test_a_new_seeded_market_begins_in_a_session_that_allows_entries() -> None:
    row = resolve_market_row(choose_market(settings(), speed=4), None)
    session = calendar_of("equity").session_at(row.clock.market_origin)

    assert ("sim_seed_7", "seeded", 4) == (row.market, row.kind, row.clock.speed)
    assert session is not None
    assert session.opens <= row.clock.market_origin <= session.flat_by - timedelta(minutes=30)


def test_the_real_market_runs_on_this_computers_clock() -> None:
    row = resolve_market_row(choose_market(settings(**VENUE)), None)
    now = machine_now()

    assert now == row.clock.to_market(now)


def test_a_closed_replay_keeps_its_clock() -> None:
    replay = MarketChoice("recorded", "replay", "a replay", ())
    row = known_row(replay, SATURDAY)

    assert row == resolve_market_row(replay, row)


def test_a_replay_of_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--replay: .*nothing\.csv"):
        choose_market(settings(), replay=tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("noise.csv", bytes(range(256))),
        ("noise.csv.gz", b"no gzip"),
        ("cut.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
        ("words.csv", b"t,o,h,l,c,v\nsoon,a,b,c,d,e\n"),
    ],
)
def test_a_replay_of_a_file_without_bars_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(SettingsError, match="--replay: ") as refused:
        choose_market(settings(), replay=file)
    assert "Traceback" not in str(refused.value)
    assert 1 == len(str(refused.value).splitlines())


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (
            "2022-04-01T00:01:00,1,1,1,1,1",
            "line 3: the time '2022-04-01T00:01:00' has no offset from UTC: expected such",
        ),
        ("2022-04-01T00:01:30Z,1,1,1,1,1", "line 3: the time '2022-04-01T00:01:30Z' is no whole minute"),
        ("2022-04-01T00:01:00Z,1.05,1.1,1,1,1", "line 3: price 1.05 is not a multiple of the tick 0.1"),
        ("2022-04-01T00:01:00Z,1,1,1", "line 3: invalid row '2022-04-01T00:01:00Z,1,1,1,,'; expected rows"),
        ("2022-04-01T00:01:00Z,1,1,1,x,1", "line 3: invalid row '2022-04-01T00:01:00Z,1,1,1,x,1'; expected rows"),
    ],
)
def test_a_line_that_is_no_bar_is_named(tmp_path: Path, row: str, error: str) -> None:
    file = tmp_path / "mgcm2-1m-2022-04.csv"
    file.write_text(f"t,o,h,l,c,v\n2022-04-01T00:00:00Z,1,1,1,1,1\n{row}\n")

    with pytest.raises(SettingsError, match=f"--replay: cannot replay {file}: {error}"):
        choose_market(settings(), replay=file)


def test_what_is_not_taken_of_a_recording_is_said(tmp_path: Path) -> None:
    """16:30 in Chicago lies in the daily pause."""
    file = tmp_path / "mgcm2-1m-2022-04.csv"
    minutes = ["2022-04-04T15:00", "2022-04-04T15:00", "2022-04-04T21:30", "2022-04-04T21:31", "2022-04-05T15:00"]
    file.write_text("t,o,h,l,c,v\n" + "".join(f"{minute}:00Z,1,1,1,1,1\n" for minute in minutes))

    assert (
        "left out 2 bars outside the sessions, the first of 2022-04-04T21:30:00Z; 1 minutes come twice, and the last "
        "bar of each counts"
    ) in choose_market(settings(), replay=file).title


def test_a_folder_cannot_be_replayed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--replay: ") as refused:
        choose_market(settings(), replay=tmp_path)
    assert "Traceback" not in str(refused.value)


def test_a_replay_begins_with_the_second_trading_day(recorded_bars: Path) -> None:
    market = choose_market(settings(), replay=recorded_bars, speed=30)

    assert ("replay", 30, ()) == (market.kind, market.speed, market.contracts)
    assert market.starts_market_at is not None
    assert market.ends_market_at is not None
    assert market.starts_market_at < market.ends_market_at
    row = resolve_market_row(market, None)
    assert (market.starts_market_at, market.ends_market_at) == (row.clock.market_origin, row.ends_market_at)


@pytest.mark.parametrize("name", ["行情" * 30, "naïve Ünïcode", "x" * 200, "; DROP DATABASE postgres; --"])
def test_the_name_of_a_replay_fits_a_database_name(recorded_bars: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name[:80]}.csv.gz"
    short_file = tmp_path / recorded_bars.name
    with gzip.open(recorded_bars, "rt") as whole, gzip.open(short_file, "wt") as short:
        short.writelines(islice(whole, THREE_DAYS))
    file.symlink_to(short_file)
    market = choose_market(settings(), replay=tmp_path / file.name)

    assert len(f"tickwork_{market.name}_999".encode()) <= 63
