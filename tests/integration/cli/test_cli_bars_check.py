"""`tickwork bars check`: what is stored is checked, and what is wrong is named with status 1."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

MINUTE = timedelta(minutes=1)


@pytest.fixture
def newest(worker_env: WorkerEnv) -> datetime:
    """The start of the newest bar."""
    ((at,),) = worker_env.rows("SELECT max(start) FROM bars WHERE contract = %s", MNQ)
    found: datetime = at
    return found


def findings_of(operator: RunCommand) -> list[dict[str, Any]]:
    (one,) = operator("bars", "check", "MNQ", "--days", "30", "--json").json["contracts"]
    found: list[dict[str, Any]] = one["findings"]
    return found


def test_bars_that_are_as_they_must_be_are_counted(operator: RunCommand, worker_env: WorkerEnv) -> None:
    done = operator("bars", "check", "all", "--json")
    shown = operator("bars", "check", "MNQ")

    counts = worker_env.rows("SELECT contract, count(*) FROM bars GROUP BY 1 ORDER BY 1")
    assert (0, counts) == (done.status, [(row["contract"], row["bars"]) for row in done.json["contracts"]])
    assert (0, True) == (shown.status, "Nothing is wrong." in shown.out)


def test_a_complete_minute_without_a_bar_is_counted_as_one_without_a_trade(
    operator: RunCommand, worker_env: WorkerEnv, newest: datetime
) -> None:
    worker_env.execute(f"DELETE FROM bar_minute WHERE contract_id = '{MNQ}' AND start = '{newest - MINUTE}'")
    (before,) = operator("bars", "check", "MNQ", "--json").json["contracts"]

    assert (True, []) == (before["no_trade_minutes"] >= 1, before["findings"])


def test_each_fault_is_named_with_its_first_minute(
    operator: RunCommand, worker_env: WorkerEnv, newest: datetime
) -> None:
    day = newest.replace(hour=12, minute=0)
    saturday = day - timedelta(days=(day.weekday() - 5) % 7)
    worker_env.execute(f"""
        UPDATE bar_minute SET low_ticks = high_ticks + 1 WHERE contract_id = '{MNQ}' AND start = '{newest}';
        UPDATE bar_minute SET volume = -1 WHERE contract_id = '{MNQ}' AND start = '{newest - MINUTE}';
        INSERT INTO bar_minute VALUES ('{MNQ}', '{saturday}', 1, 1, 1, 1, 1);
        UPDATE contract SET coverage = coverage - tstzmultirange(tstzrange('{newest - 40 * MINUTE}',
            '{newest - 38 * MINUTE}')), tick_size = 0.5 WHERE id = '{MNQ}'
    """)
    expected = {
        "not_ordered": (1, newest),
        "not_possible": (1, newest - MINUTE),
        "outside_session": (1, saturday),
        "not_covered": (2, newest - 40 * MINUTE),
        "tick_size": (1, None),
        "gap": (2, newest - 40 * MINUTE),
    }
    found = {
        row["fault"]: (row["count"], None if row["start"] is None else datetime.fromisoformat(row["start"]))
        for row in findings_of(operator)
    }

    assert expected == found
    done = operator("bars", "check", "MNQ")
    assert (1, True) == (done.status, "1 gap: `tickwork bars gaps` lists them" in done.words)


def test_the_newest_minutes_are_no_gap_yet(operator: RunCommand, worker_env: WorkerEnv, newest: datetime) -> None:
    worker_env.execute(
        f"UPDATE contract SET coverage = coverage - tstzmultirange(tstzrange('{newest}', NULL));"
        f"DELETE FROM bar_minute WHERE start >= '{newest}'"
    )

    assert [] == findings_of(operator)


def test_a_gap_that_waits_for_the_second_answer_of_the_venue_is_counted_and_not_wrong(
    operator: RunCommand, worker_env: WorkerEnv, newest: datetime
) -> None:
    span = f"tstzmultirange(tstzrange('{newest - 40 * MINUTE}', '{newest - 38 * MINUTE}'))"
    worker_env.execute(
        f"UPDATE contract SET coverage = coverage - {span}, unconfirmed = {span} WHERE id = '{MNQ}';"
        f"DELETE FROM bar_minute WHERE start >= '{newest - 40 * MINUTE}' AND start < '{newest - 38 * MINUTE}'"
    )
    (one,) = operator("bars", "check", "MNQ", "--json").json["contracts"]

    assert (2, []) == (one["gap_minutes"], one["findings"])


def test_without_bars_there_is_nothing_to_check(operator: RunCommand) -> None:
    done = operator("bars", "check", "MESZ25")

    assert (1, True) == (done.status, "no bars of MESZ25 are stored: nothing to check" in done.words)
