"""`tickwork schedule`: list, set, pause, resume and run; what a person sets stays when the code's timetable changes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scheduler import beat
from scheduler.beat import Beat
from scheduler.timetable import TIMETABLE, ScheduleEntry
from tests.fixtures.operator import CommandResult, RunCommand
from tests.fixtures.worker_env import WorkerEnv

NAME = "snapshot_accounts"


@pytest.fixture(autouse=True)
def seeded(worker_env: WorkerEnv) -> Beat:
    found = Beat(worker_env.ledger, worker_env.venue.clock)
    found.seed()
    return found


def get_entry(operator: RunCommand, name: str = NAME) -> dict[str, Any]:
    """Return an entry as `schedule list --json` shows it."""
    rows: list[dict[str, Any]] = operator("schedule", "list", "--json").json["schedule"]
    return next(row for row in rows if row["name"] == name)


def run_well(operator: RunCommand, *arguments: str) -> CommandResult:
    result = operator("schedule", *arguments)
    assert 0 == result.status, result
    return result


def list_acts(worker_env: WorkerEnv) -> list[tuple[Any, ...]]:
    return worker_env.rows("SELECT act, before, after, reason FROM audit ORDER BY id")


def seed_changed(seeded: Beat, monkeypatch: pytest.MonkeyPatch, *entries: ScheduleEntry) -> None:
    """Start a beat whose code has this timetable."""
    monkeypatch.setattr(beat, "TIMETABLE", entries)
    seeded.seed()


def test_the_list_shows_each_entry_its_last_job_and_when_the_next_is_due(
    operator: RunCommand, worker_env: WorkerEnv, seeded: Beat
) -> None:
    before = get_entry(operator)
    assert (60, True, None, None) == tuple(before[key] for key in ("every_s", "is_enabled", "ran_at", "outcome"))
    seeded.tick()
    queued = get_entry(operator)
    worker_env.run_due_jobs()
    done = get_entry(operator)

    assert ("queued", "succeeded") == (queued["outcome"], done["outcome"])
    assert done["last_slot"] < done["ran_at"] < done["next_due_at"]
    assert {entry.name for entry in TIMETABLE} <= set(operator("schedule").words.split())


def test_a_setting_is_validated_applied_and_audited(operator: RunCommand, worker_env: WorkerEnv) -> None:
    run_well(operator, "set", NAME, "--every", "5m", "--missed", "skip", "--reason", "fewer requests")

    entry = get_entry(operator)
    assert (300, "skip", ["every_s", "missed"]) == (entry["every_s"], entry["missed"], entry["changed"])
    assert f"{NAME}: every, missed set by a person." in operator("schedule", "list").words
    before, after = {"every": "1m", "missed": "run_once"}, {"name": NAME, "every": "5m", "missed": "skip"}
    assert [("schedule_set", before, after, "fewer requests")] == list_acts(worker_env)
    assert "unchanged" in run_well(operator, "set", NAME, "--every", "300s").words
    assert 1 == len(list_acts(worker_env))
    run_well(operator, "set", NAME, "--default")
    assert (60, "run_once", []) == tuple(get_entry(operator)[key] for key in ("every_s", "missed", "changed"))


def test_changes_are_printed_as_json_with_seconds(operator: RunCommand) -> None:
    told = [
        run_well(operator, *words, "--json").json
        for words in (("set", NAME, "--every", "5m"), ("pause", NAME, "--yes"), ("resume", NAME), ("run", NAME))
    ]

    assert {"name": NAME, "every_s": 300} == told[0]
    assert [False, True] == [one["is_enabled"] for one in told[1:3]]
    assert "accounts.snapshot_accounts" == told[3]["job_name"]
    assert 300 == run_well(operator, "set", NAME, "--every", "5m", "--json").json["every_s"]
    assert {"name": NAME, "every_s": 60, "missed": "run_once", "only_when_open": False} == run_well(
        operator, "set", NAME, "--default", "--json"
    ).json


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((NAME, "--every", "8d"), "expected 1s to 7d"),
        ((NAME, "--every", "soon"), "invalid duration 'soon'"),
        ((NAME, "--only-when-open"), "knows no sessions"),
        (("fetch_bars", "--every", "90s"), "takes whole minutes"),
        (("roll_up_metrics", "--every", "30s"), "metrics.roll_up takes whole minutes"),
        (("nothing", "--every", "5m"), "`tickwork schedule list` lists the names"),
        ((NAME,), "give --every"),
        ((NAME, "--every", "5m", "--default"), "or else --default"),
    ],
)
def test_an_invalid_setting_changes_nothing(
    operator: RunCommand, worker_env: WorkerEnv, arguments: tuple[str, ...], words: str
) -> None:
    before = worker_env.rows("SELECT * FROM schedule ORDER BY name")
    result = operator("schedule", "set", *arguments)

    assert result.status != 0
    assert words in result.words
    assert before == worker_env.rows("SELECT * FROM schedule ORDER BY name")
    assert [] == list_acts(worker_env)


def test_a_paused_entry_fills_no_slot_until_it_is_resumed(
    operator: RunCommand, worker_env: WorkerEnv, seeded: Beat
) -> None:
    run_well(operator, "pause", NAME, "--yes", "--reason", "maintenance")
    seeded.tick()
    assert (False, None, None) == tuple(get_entry(operator)[key] for key in ("is_enabled", "ran_at", "next_due_at"))
    assert "already paused" in run_well(operator, "pause", NAME).words
    run_well(operator, "resume", NAME)
    seeded.tick()

    assert "queued" == get_entry(operator)["outcome"]
    assert ["schedule_pause", "schedule_resume"] == [act for act, *_ in list_acts(worker_env)]


def test_what_safety_needs_is_paused_and_slowed_down_only_after_a_question(operator: RunCommand) -> None:
    for words in (("pause", NAME), ("set", NAME, "--every", "1h")):
        asked = operator("schedule", *words)
        assert asked.status != 0
        assert "so the loss limits go by old ones" in asked.error
        assert "There is no terminal to confirm at: add --yes" in asked.error
        assert (60, True) == tuple(get_entry(operator)[key] for key in ("every_s", "is_enabled"))
    run_well(operator, "set", NAME, "--every", "5m")
    run_well(operator, "pause", "pack_bars")
    assert "PAUSED" not in operator("schedule", "pause", NAME, typed="n\n").words
    assert get_entry(operator)["is_enabled"]
    assert 0 == operator("schedule", "pause", NAME, typed="y\n").status

    assert not get_entry(operator)["is_enabled"]


def test_an_entry_is_denied_with_the_pause_that_keeps_its_account_from_being_reconciled(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    assert "is not reconciled with the venue yet" in operator("risk").words
    assert "paused" not in operator("risk").words
    run_well(operator, "pause", "reconcile_accounts", "--yes")
    told = operator("risk").words

    assert "a person has paused reconcile_accounts, and `tickwork schedule resume reconcile_accounts` lets it" in told
    assert "The risk monitor has nothing to act on." not in told
    run_well(operator, "resume", "reconcile_accounts")
    assert "paused" not in operator("risk").words


def test_run_enqueues_the_job_now_instead_of_one_that_waits(operator: RunCommand, worker_env: WorkerEnv) -> None:
    first, second = (run_well(operator, "run", "fetch_bars", "--json").json for _ in range(2))
    worker_env.run_due_jobs()

    assert first["slot"] <= second["slot"]
    states = worker_env.rows("SELECT id::text, state FROM job WHERE name = 'market_data.fetch_bars' ORDER BY id")
    assert [(first["job_id"], "cancelled"), (second["job_id"], "succeeded")] == states
    assert ["schedule_run"] * 2 == [act for act, *_ in list_acts(worker_env)]
    assert second["job_id"] == get_entry(operator, "fetch_bars")["job_id"]


def test_a_changed_timetable_reaches_the_table_but_for_what_a_person_set(
    operator: RunCommand, seeded: Beat, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_well(operator, "set", NAME, "--missed", "skip")
    run_well(operator, "pause", "check_disk", "--yes")
    newer = [
        replace(entry, every=timedelta(minutes=2), missed="catch_up", only_when_open=False)
        for entry in TIMETABLE
        if entry.name not in {"check_disk", "roll_up_metrics"}
    ]
    seed_changed(seeded, monkeypatch, *newer)

    other, ours = get_entry(operator, "reconcile_accounts"), get_entry(operator)
    assert (120, "catch_up", []) == (other["every_s"], other["missed"], other["changed"])
    assert (120, "skip", ["missed"]) == (ours["every_s"], ours["missed"], ours["changed"])
    names = {row["name"] for row in operator("schedule", "list", "--json").json["schedule"]}
    assert "roll_up_metrics" not in names  # the code has it no more
    assert not get_entry(operator, "check_disk")["is_enabled"]  # a person paused it: it stays
    seed_changed(seeded, monkeypatch, *TIMETABLE)
    assert (60, "skip") == (get_entry(operator)["every_s"], get_entry(operator)["missed"])


def test_an_entry_that_a_person_added_is_left_alone(
    operator: RunCommand, worker_env: WorkerEnv, seeded: Beat, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_env.execute(
        "INSERT INTO schedule (name, job_name, clock, every) "
        "VALUES ('drill', 'upkeep.do_nothing', 'machine', interval '1 hour')"
    )
    seed_changed(seeded, monkeypatch, *TIMETABLE[:1])

    assert (3600, None) == tuple(get_entry(operator, "drill")[key] for key in ("every_s", "defaults"))
    assert "the code has no default" in operator("schedule", "set", "drill", "--default").words
