"""`tickwork bars show` and `chart`: stored bars of any timeframe, with how far they are complete."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

MINUTE = timedelta(minutes=1)
NEWEST = (
    "SELECT start, open::text, high::text, low::text, close::text, volume FROM bars_between(%s, %s, NULL, NULL, %s)"
)


# Of the first day only a part is stored: it is no bar.
@pytest.mark.parametrize(("timeframe", "count"), [("1m", 3), ("5m", 3), ("4h", 3), ("1d", 1)])
def test_the_newest_bars_are_those_that_sql_shows(
    operator: RunCommand, worker_env: WorkerEnv, timeframe: str, count: int
) -> None:
    expected = [
        (start.isoformat(), *map(Decimal, prices), volume)
        for start, *prices, volume in worker_env.rows(NEWEST, MNQ, timeframe, count)
    ]
    found = operator("bars", "show", "MNQ", "--timeframe", timeframe, "--count", str(count), "--json").json
    rows = [
        (row["start"], *(Decimal(row[name]) for name in ("open", "high", "low", "close")), row["volume"])
        for row in found["bars"]
    ]

    assert (MNQ, timeframe, []) == (found["contract"], found["timeframe"], found["gaps"])
    assert expected == rows[::-1]


def test_bars_since_a_time_are_shown_with_their_gap(operator: RunCommand, worker_env: WorkerEnv) -> None:
    ((newest,),) = worker_env.rows("SELECT max(start) FROM bars WHERE contract = %s", MNQ)
    hole = newest - 30 * MINUTE
    worker_env.execute(
        f"UPDATE contract SET coverage = coverage - tstzmultirange(tstzrange('{hole}', '{hole + 9 * MINUTE}'))"
        f" WHERE id = '{MNQ}'; DELETE FROM bar_minute WHERE start >= '{hole}' AND start < '{hole + 9 * MINUTE}'"
    )
    worker_env.forget_recent_bars()
    since = hole - 10 * MINUTE
    found = operator("bars", "show", "MNQ", "--since", since.isoformat(), "--json").json

    starts = [datetime.fromisoformat(row["start"]) for row in found["bars"]]
    assert sorted(starts, reverse=True) == starts
    assert (since, True) == (starts[-1], all(start < hole or start >= hole + 9 * MINUTE for start in starts))
    assert [{"start": hole.isoformat(), "end": (hole + 9 * MINUTE).isoformat(), "minutes": 9}] == found["gaps"]
    words = operator("bars", "show", "MNQ", "--since", since.isoformat()).words
    assert f"Gaps: 9 minutes ({hole:%Y-%m-%d %H:%M} to {hole + 9 * MINUTE:%H:%M})" in words
    assert "read from Postgres." in words


@pytest.mark.parametrize("timeframe", ["1w", "1mo"])
def test_a_history_too_short_for_the_bars_asked_for_is_said(
    operator: RunCommand, worker_env: WorkerEnv, timeframe: str
) -> None:
    ((first,),) = worker_env.rows("SELECT min(start) FROM bars WHERE contract = %s", MNQ)
    told = f"as the stored minutes of MNQ begin at {first:%Y-%m-%d %H:%M} UTC: `tickwork bars backfill MNQ --days N`"

    for command in ("show", "chart"):
        words = operator("bars", command, "MNQ", "--timeframe", timeframe, "--count", "30").words
        assert f"Asked for: 30 bars; shown: 0, {told}" in words
        assert "Complete up to" not in words
    found = operator("bars", "show", "MNQ", "--timeframe", timeframe, "--json").json
    assert (20, None, first.isoformat(), []) == tuple(
        found[name] for name in ("asked_count", "asked_since", "stored_from", "bars")
    )
    assert "Asked for" not in operator("bars", "show", "MNQ", "--count", "5").words


def test_a_time_before_the_first_minute_is_said_and_one_to_come_is_refused(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    ((first,),) = worker_env.rows("SELECT min(start) FROM bars WHERE contract = %s", MNQ)
    before = (first - timedelta(days=3)).isoformat()
    assert (
        f"Asked for: bars from {first - timedelta(days=3):%Y-%m-%d %H:%M} UTC on; the stored minutes of MNQ begin at "
        f"{first:%Y-%m-%d %H:%M} UTC" in operator("bars", "show", "MNQ", "--timeframe", "1h", "--since", before).words
    )
    assert "Asked for" not in operator("bars", "show", "MNQ", "--since", first.isoformat()).words

    refused = operator("bars", "show", "MNQ", "--since", "2099-03-01")
    assert (1, "") == (refused.status, refused.out)
    assert "invalid --since '2099-03-01 00:00': it is in the future, as market time is now 2026-" in refused.error


def test_a_chart_is_as_wide_as_the_terminal_and_names_its_bars(
    operator: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "20")
    lines = operator("bars", "chart", "MNQ", "--timeframe", "5m").out.splitlines()

    assert lines[0].startswith("MNQ H26 5m  2026-")
    assert 60 >= max(map(len, lines[1:-1]))
    assert 16 == len(lines[1:-1])
    assert {"┃", "█", "│", "┤"} <= set("".join(lines[1:-1]))
    assert lines[-1].startswith("Complete up to 2026-")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "MNQ", "--timeframe", "30s"), "timeframe '30s' is shorter than a minute"),
        (("show", "MNQ", "--count", "5", "--since", "2026-03-09"), "--count and --since exclude each other"),
        (("show", "MNQZ27"), "no contract of MNQZ27 is known"),
        (("show", "FOO"), "unknown symbol 'FOO'"),
        (("chart", "MNQ", "--count", "0"), "--count"),
    ],
)
def test_what_cannot_be_shown_is_refused(operator: RunCommand, arguments: tuple[str, ...], message: str) -> None:
    done = operator("bars", *arguments)

    assert 0 != done.status
    assert message in done.words


def test_without_bars_one_sentence_says_so(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM bar_minute; UPDATE contract SET coverage = '{}'")
    worker_env.forget_recent_bars()

    assert "No closed bars of MNQ with timeframe 5m." in operator("bars", "show", "MNQ", "--timeframe", "5m").out
    assert "No closed bars of MNQ with timeframe 1m." in operator("bars", "chart", "MNQ").out
