"""Bars of other vendors' files: each line is checked, and refused with its first fault."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.bar_layout import BarLayout, find_layout, has_heading, parse_columns
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.csv_columns import split_csv
from shared.domain.market_data.foreign_bars import BarFault, BarTimes, CheckedBars, check_bars, read_block
from shared.errors import RefusedError

PLAIN = BarLayout(dict(zip(("time", "open", "high", "low", "close", "volume"), range(6), strict=True)))
NOW = datetime(2026, 3, 13, 12, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
MONDAY = "2026-03-09 14:30"
METALS = assumed_calendar_of("metals")


def check(text: str, times: BarTimes | None = None, layout: BarLayout = PLAIN) -> CheckedBars:
    field_count = len(layout.places) + (layout.clock is not None)
    block = split_csv(text.encode(), ",", field_count, 2)
    read = read_block(block, layout, times or BarTimes(UTC_ZONE), Decimal("0.1"))
    return check_bars(read, METALS, NOW)


def faults_of(found: CheckedBars) -> list[tuple[int, BarFault]]:
    return [
        (line, BarFault(fault))
        for line, fault in zip(found.refused.lines.tolist(), found.refused.faults.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"{MONDAY},1,2,1,2", BarFault.RAGGED),
        ("09.03.2026 14:30,1,2,1,2,5", BarFault.NO_TIME),
        (f"{MONDAY}:30,1,2,1,2,5", BarFault.NOT_A_MINUTE),
        (f"{MONDAY}:00.5,1,2,1,2,5", BarFault.NOT_A_MINUTE),
        (f"{MONDAY},1,2,,2,5", BarFault.NO_NUMBER),
        (f"{MONDAY},1,2,1,2,5.5", BarFault.NO_NUMBER),
        (f"{MONDAY},1,2.05,1,2,5", BarFault.OFF_TICK),
        (f"{MONDAY},1,2,1.5,2,5", BarFault.NOT_ORDERED),
        (f"{MONDAY},1,1.5,1,2,5", BarFault.NOT_ORDERED),
        (f"{MONDAY},1,2,1,2,-5", BarFault.NOT_STORABLE),
        (f"{MONDAY},0,0,0,0,0", BarFault.NOT_STORABLE),
        (f"{MONDAY},1,2,1,2,9999999999", BarFault.NO_NUMBER),
        (f"{MONDAY},1,2,1,2,999999999", None),
        ("2017-03-09 14:30,1,2,1,2,5", BarFault.BEYOND_CALENDAR),
        ("2029-03-09 14:30,1,2,1,2,5", BarFault.BEYOND_CALENDAR),
        ("2026-03-13 12:00,1,2,1,2,5", BarFault.NOT_CLOSED),
        ("2026-03-13 11:59,1,2,1,2,5", None),
        ("2026-03-09 21:00,1,2,1,2,5", BarFault.OUTSIDE_SESSION),  # 16:00 in Chicago
        ("2026-03-09 20:59,1,2,1,2,5", None),
        ("2026-03-07 14:30,1,2,1,2,5", BarFault.OUTSIDE_SESSION),
        ("2025-12-25 14:30,1,2,1,2,5", BarFault.OUTSIDE_SESSION),
        (f"{MONDAY},-1,2,-1.1,2,0", BarFault.NOT_STORABLE),
    ],
)
def test_a_line_is_refused_with_its_fault(line: str, fault: BarFault | None) -> None:
    found = check(f"2026-03-09 14:00,1,2,1,2,5\n{line}\n2026-03-09 14:01,1,2,1,2,5\n")

    assert ([] if fault is None else [(3, fault)]) == faults_of(found)
    assert 3 - (fault is not None) == len(found.accepted.lines)


PRICES = st.one_of(
    st.integers(0, 60).map(lambda ticks: f"{Decimal(ticks) / 10:.1f}"),
    st.sampled_from(["1.05", "-0.5", "", "x", "2.50", "3.0000000000", "1e1"]),
)
VOLUMES = st.sampled_from(["0", "7", "7.0", "7.5", "-1", "", "999999999", "1073741825"])
FIRST = datetime(2026, 3, 6, 20, tzinfo=UTC)  # two hours before the weekend


def is_bar(at: datetime, prices: list[str], volume: str) -> bool:
    """Whether a line is a bar of the session, told by plain Python."""
    try:
        open_, high, low, close = (Decimal(one) / Decimal("0.1") for one in prices)
        count = Decimal(volume)
    except InvalidOperation:
        return False
    return (
        "1e1" not in prices
        and all(one == int(one) for one in (open_, high, low, close, count))
        and low > 0
        and low <= min(open_, close)
        and high >= max(open_, close)
        and 0 <= count < 10**9  # of nine digits
        and METALS.is_open(at)
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.tuples(PRICES, PRICES, PRICES, PRICES), VOLUMES), max_size=12))
def test_exactly_the_lines_that_are_bars_are_accepted(drawn: list[tuple[int, tuple[str, ...], str]]) -> None:
    lines = [f"{FIRST - ago * timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ},1,2,1,2,5" for ago in (2, 1)]
    expected, at = [2, 3], FIRST
    for number, (hours, prices, volume) in enumerate(drawn, 4):
        at += hours * timedelta(hours=10) + timedelta(minutes=1)
        lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{','.join(prices)},{volume}")
        if is_bar(at, list(prices), volume) and at < NOW:
            expected.append(number)
    found = check("\n".join(lines))

    assert expected == found.accepted.lines.tolist()
    assert len(lines) == len(found.accepted.lines) + len(found.refused.lines)


def test_accepted_bars_are_sorted_and_in_ticks() -> None:
    found = check("2026-03-09 14:31,2673.8,2678.3,2672.0,2673.7,384\n2026-03-09 14:30,1,1,1,1,0")

    assert [
        Bar(datetime(2026, 3, 9, 14, 30, tzinfo=UTC), 10, 10, 10, 10, 0),
        Bar(datetime(2026, 3, 9, 14, 31, tzinfo=UTC), 26_738, 26_783, 26_720, 26_737, 384),
    ] == found.accepted.bars.to_bars()
    assert [3, 2] == found.accepted.lines.tolist()


def test_repeated_lines_are_one_and_contradictory_ones_are_all_refused() -> None:
    same, other = f"{MONDAY},1,2,1,2,5", "2026-03-09 14:31,1,2,1,2,5"
    found = check(f"{same}\n{other}\n{same}\n{other[:-1]}6\n{other}")

    assert ([2], 1) == (found.accepted.lines.tolist(), found.repeated_count)
    assert [(3, BarFault.CONTRADICTION), (5, BarFault.CONTRADICTION), (6, BarFault.CONTRADICTION)] == faults_of(found)


def test_a_time_without_an_offset_needs_a_zone_which_is_named() -> None:
    with pytest.raises(RefusedError, match=r"times such as '2026-03-09 14:30' do not say their offset .* --zone"):
        check(f"2026-03-09T14:29:00Z,1,2,1,2,5\n{MONDAY},1,2,1,2,5", BarTimes(None))

    (bar,) = check(f"{MONDAY},1,2,1,2,5", BarTimes(ZoneInfo("America/Chicago"))).accepted.bars.to_bars()
    assert datetime(2026, 3, 9, 19, 30, tzinfo=UTC) == bar.start
    (bar,) = check("2026-03-09T14:30:00-05:00,1,2,1,2,5", BarTimes(None)).accepted.bars.to_bars()
    assert datetime(2026, 3, 9, 19, 30, tzinfo=UTC) == bar.start


def test_a_bar_named_by_its_end_starts_a_minute_earlier() -> None:
    times = ("20:58", "21:00", "22:00")
    found = check("\n".join(f"2026-03-09 {at},1,2,1,2,5" for at in times), BarTimes(UTC_ZONE, are_ends=True))

    minutes = [datetime(2026, 3, 9, 20, minute, tzinfo=UTC) for minute in (57, 59)]
    assert minutes == [bar.start for bar in found.accepted.bars.to_bars()]
    assert [(4, BarFault.OUTSIDE_SESSION)] == faults_of(found)


def lines_of(step: timedelta, count: int) -> list[str]:
    first = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
    return [f"{first + number * step:%Y-%m-%d %H:%M:%S},1,2,1,2,5" for number in range(count)]


@pytest.mark.parametrize(
    ("minutes", "count"), [(2, 12), (3, 12), (7, 12), (5, 2), (5, 4), (20, 4), (5, 30), (15, 3), (60, 4), (60, 20)]
)
def test_longer_bars_are_refused_as_a_whole(minutes: int, count: int) -> None:
    with pytest.raises(RefusedError, match=f"its bars start every {minutes} minutes"):
        check("\n".join(lines_of(timedelta(minutes=minutes), count)))


@pytest.mark.parametrize(
    ("minutes", "count"), [(1, 2), (2, 4), (3, 3), (7, 2), (5, 1), (2, 5), (2, 11), (7, 11), (20, 3), (35, 2)]
)
def test_a_few_minutes_of_a_quiet_contract_are_accepted(minutes: int, count: int) -> None:
    assert count == len(check("\n".join(lines_of(timedelta(minutes=minutes), count))).accepted.lines)


def test_one_minute_between_longer_steps_shows_bars_of_a_minute() -> None:
    lines = [*lines_of(timedelta(minutes=5), 30), "2026-03-09 00:01,1,2,1,2,5"]

    assert 31 == len(check("\n".join(lines)).accepted.lines)


@pytest.mark.parametrize("are_ends", [False, True])
@pytest.mark.parametrize("seconds", [1, 15, 30])
def test_shorter_bars_are_refused_as_a_whole(seconds: int, *, are_ends: bool) -> None:
    with pytest.raises(RefusedError, match="its bars are shorter than a minute, as several start in that of 2026-03-0"):
        check("\n".join(lines_of(timedelta(seconds=seconds), 300 // seconds)), BarTimes(UTC_ZONE, are_ends=are_ends))


def test_a_date_and_a_time_of_day_may_be_columns_of_their_own() -> None:
    layout = find_layout(["Date", "Time", "Open", "High", "Low", "Close", "Vol"], {})
    found = check("2026-03-09,14:30,1,2,1,2,5", layout=layout)

    assert [datetime(2026, 3, 9, 14, 30, tzinfo=UTC)] == [bar.start for bar in found.accepted.bars.to_bars()]


def test_a_file_without_lines_has_no_bars() -> None:
    found = check("")

    assert (0, 0, 0) == (len(found.accepted.lines), len(found.refused.lines), found.repeated_count)


@pytest.mark.parametrize(
    ("names", "chosen", "places"),
    [
        ("t,o,h,l,c,v", "", [0, 1, 2, 3, 4, 5]),
        ("Volume,<CLOSE>,low,HIGH,open_,Timestamp", "", [5, 4, 3, 2, 1, 0]),
        ("ts_event,open,high,low,close,volume,symbol", "", [0, 1, 2, 3, 4, 5]),
        ("when,o,h,l,c,v", "time=when", [0, 1, 2, 3, 4, 5]),
        ("timestamp,date,o,h,l,c,v", "time=timestamp", [0, 2, 3, 4, 5, 6]),
        ("1,2,3,4,5,6", "time=1,open=2,high=3,low=4,close=5,volume=6", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_columns_are_found_by_usual_names_and_by_choice(names: str, chosen: str, places: list[int]) -> None:
    found = find_layout(names.split(","), parse_columns(chosen))

    assert places == [found.places[one] for one in PLAIN.places]


@pytest.mark.parametrize(
    ("names", "chosen", "message"),
    [
        ("when,o,h,l,c,v", "", "no column is known as the time, of 'when', .* name it with --columns time=NAME"),
        ("timestamp,date,o,h,l,c,v", "", "columns timestamp and date could each be the time"),
        ("t,o,h,l,c,v", "time=x", r"no column is named 'x' \(time\)"),
    ],
)
def test_a_column_that_is_not_certain_is_refused(names: str, chosen: str, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        find_layout(names.split(","), parse_columns(chosen))


def test_columns_by_number_mean_that_there_is_no_heading() -> None:
    assert has_heading({})
    assert has_heading({"time": "t"})
    assert not has_heading(parse_columns("time=1,open=2,high=3,low=4,close=5,volume=6"))
    with pytest.raises(RefusedError, match="--columns lacks open, high, low, close, volume"):
        has_heading({"time": "1"})


@pytest.mark.parametrize("text", ["when=t", "time", "time="])
def test_an_unknown_field_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected FIELD=NAME, where FIELD is one of time, open"):
        parse_columns(text)


def test_every_recorded_bar_is_accepted(recorded_bars: Path) -> None:
    text = gzip.decompress(recorded_bars.read_bytes()).decode().partition("\n")[2]
    found = check(text, BarTimes(None))

    assert [] == faults_of(found)
    assert len(text.splitlines()) == len(found.accepted.lines)
