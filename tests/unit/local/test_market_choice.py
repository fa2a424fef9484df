"""Which market `up` chooses, what it refuses, and where a known market goes on."""

import gzip
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from cli.local.market import MarketChoice, check_speed, choose_market, row_of
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


def seeded(**more: str) -> MarketChoice:
    return choose_market(settings(**more))


def known(market: MarketChoice, market_now: datetime, speed: int = 1) -> MarketRow:
    return MarketRow(market.name, market.kind, MarketClock(machine_now(), market_now, speed))


def test_without_credentials_the_market_is_simulated_and_says_that_no_real_order_is_sent() -> None:
    market = seeded()

    assert ("sim_seed_7", "seeded", ("--seed", "7")) == (market.name, market.kind, market.simulator)
    assert ("MNQ", "MES") == market.contracts
    assert "no real order is sent" in market.title


def test_with_all_credentials_the_market_is_the_venue_and_no_simulator_runs() -> None:
    market = choose_market(settings(**VENUE, TICKWORK_CONTRACTS="mgc"))

    assert ("api_topstepx_com", "live", ()) == (market.name, market.kind, market.simulator)
    assert (("MGC",), 1) == (market.contracts, market.speed)


def test_two_long_names_that_begin_alike_are_two_markets() -> None:
    hosts = [f"https://api.{'x' * 50}.{end}" for end in ("projectx.com", "projectx.net")]
    names = {choose_market(settings(**VENUE | {"TICKWORK_VENUE_URL": host})).name for host in hosts}

    assert 2 == len(names)
    assert all(len(name) == 40 for name in names)


def test_a_seed_wins_over_credentials() -> None:
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
def test_credentials_set_in_part_are_refused_instead_of_simulating_in_silence(missing: set[str]) -> None:
    partly = {name: value for name, value in VENUE.items() if name not in missing}

    with pytest.raises(SettingsError, match="some are set and some are not") as refused:
        choose_market(settings(**partly))
    assert all(name in str(refused.value) for name in VENUE)


def test_a_seeded_market_begins_when_it_is_told_to_and_only_once() -> None:
    market = choose_market(settings(), starts_market_at=SUNDAY_OPEN)

    assert SUNDAY_OPEN <= row_of(market, None).clock.now() < SUNDAY_OPEN + timedelta(minutes=1)
    with pytest.raises(SettingsError, match="leave --at out"):
        row_of(market, known(seeded(), MONDAY_NIGHT))


def test_a_market_that_is_closed_at_its_beginning_says_when_it_opens() -> None:
    with pytest.raises(SettingsError, match=r"2026-11-21T06:00: the market is closed .* opens at 2026-11-22T17:00"):
        choose_market(settings(), starts_market_at=SATURDAY)


def test_a_real_or_recorded_market_begins_when_it_began() -> None:
    with pytest.raises(SettingsError, match="--at is for the seeded market"):
        choose_market(settings(**VENUE), starts_market_at=SUNDAY_OPEN)


@pytest.mark.parametrize("speed", [-1, 0, 61])
def test_a_speed_outside_1_to_60_is_refused(speed: int) -> None:
    with pytest.raises(SettingsError, match="from 1 to 60"):
        choose_market(settings(), speed=speed)


def test_the_real_market_has_no_speed_but_its_own() -> None:
    assert 1 == choose_market(settings(**VENUE), speed=1).speed
    with pytest.raises(SettingsError, match="its own pace"):
        choose_market(settings(**VENUE), speed=2)


def test_contracts_times_speed_beyond_what_the_venue_serves_is_refused_with_a_speed_that_fits() -> None:
    market = seeded(TICKWORK_CONTRACTS="MNQ,MES")

    with pytest.raises(SettingsError, match="use a speed up to 45"):
        check_speed(market, 46, limits=True)
    check_speed(market, 45, limits=True)


def test_a_contract_named_twice_counts_once() -> None:
    check_speed(seeded(TICKWORK_CONTRACTS="MNQ,mnq,MNQ"), 60, limits=True)


def test_limits_off_allows_any_speed() -> None:
    check_speed(seeded(TICKWORK_CONTRACTS="MNQ,MES,MGC,MCL"), 60, limits=False)


def test_a_replay_counts_its_one_contract() -> None:
    check_speed(MarketChoice("recorded", "replay", "a replay", ()), 60, limits=True)


def test_another_markets_database_is_refused() -> None:
    with pytest.raises(SettingsError, match="the seeded market sim_seed_8, and the seeded market sim_seed_7 was"):
        row_of(seeded(), MarketRow("sim_seed_8", "seeded", live_clock()))


def test_a_replay_named_like_the_venue_never_enters_the_venues_database() -> None:
    replay = MarketChoice("api_topstepx_com", "replay", "a replay of api_topstepx_com.csv", ())

    with pytest.raises(SettingsError, match="must never mix"):
        row_of(replay, MarketRow("api_topstepx_com", "live", live_clock()))


def test_another_speed_than_the_markets_own_is_refused() -> None:
    market = choose_market(settings(), speed=10)

    with pytest.raises(SettingsError, match="runs at speed 5 since its start"):
        row_of(market, known(market, MONDAY_NIGHT, speed=5))


def test_a_known_market_keeps_its_speed_when_none_is_asked_for() -> None:
    row = known(seeded(), MONDAY_NIGHT, speed=5)

    assert row == row_of(seeded(), row)


def test_a_seeded_market_in_an_open_session_goes_on_where_its_clock_is() -> None:
    row = known(seeded(), MONDAY_NIGHT)

    assert row == row_of(seeded(), row)


@pytest.mark.parametrize(
    ("found", "opens"),
    [(SATURDAY, SUNDAY_OPEN), (BEFORE_FLAT, MONDAY_OPEN)],
    ids=["closed over the weekend", "too near to the flat time"],
)
def test_a_seeded_market_that_cannot_be_entered_moves_forward_to_the_next_open(
    found: datetime, opens: datetime
) -> None:
    moved = row_of(seeded(), known(seeded(), found, speed=3))

    assert (opens + timedelta(minutes=5), 3) == (moved.clock.market_origin, moved.clock.speed)
    assert moved.clock.now() >= opens + timedelta(minutes=5)


def test_a_market_that_moved_forward_does_not_move_again() -> None:
    moved = row_of(seeded(), known(seeded(), SATURDAY))

    assert moved == row_of(seeded(), moved)


def test_a_new_seeded_market_begins_where_entries_are_possible() -> None:
    row = row_of(choose_market(settings(), speed=4), None)
    session = calendar_of("equity").session_at(row.clock.market_origin)

    assert ("sim_seed_7", "seeded", 4) == (row.market, row.kind, row.clock.speed)
    assert session is not None
    assert session.opens <= row.clock.market_origin <= session.flat_by - timedelta(minutes=30)


def test_the_real_market_runs_on_this_computers_clock() -> None:
    row = row_of(choose_market(settings(**VENUE)), None)
    now = machine_now()

    assert now == row.clock.to_market(now)


def test_a_closed_replay_stays_where_it_is() -> None:
    replay = MarketChoice("recorded", "replay", "a replay", ())
    row = known(replay, SATURDAY)

    assert row == row_of(replay, row)


def test_a_replay_of_a_file_that_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
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


def test_a_folder_cannot_be_replayed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--replay: ") as refused:
        choose_market(settings(), replay=tmp_path)
    assert "Traceback" not in str(refused.value)


def test_the_recorded_file_begins_when_its_second_trading_day_opens(recorded_bars: Path) -> None:
    market = choose_market(settings(), replay=recorded_bars, speed=30)

    assert ("replay", 30, ()) == (market.kind, market.speed, market.contracts)
    assert market.starts_market_at is not None
    assert market.ends_market_at is not None
    assert market.starts_market_at < market.ends_market_at
    row = row_of(market, None)
    assert (market.starts_market_at, market.ends_market_at) == (row.clock.market_origin, row.ends_market_at)


@pytest.mark.parametrize("name", ["行情" * 30, "naïve Ünïcode", "x" * 200, "; DROP DATABASE postgres; --"])
def test_a_replays_name_fits_into_the_name_of_a_database(recorded_bars: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name[:80]}.csv.gz"
    short_file = tmp_path / recorded_bars.name
    with gzip.open(recorded_bars, "rt") as whole, gzip.open(short_file, "wt") as short:
        short.writelines(islice(whole, THREE_DAYS))
    file.symlink_to(short_file)
    market = choose_market(settings(), replay=tmp_path / file.name)

    assert len(f"tickwork_{market.name}_999".encode()) <= 63
