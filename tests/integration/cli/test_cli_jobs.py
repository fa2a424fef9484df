"""`tickwork jobs` as a person and as a script use it, on a real database that DATABASE_URL names."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cli.main import main
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv

TRACEBACK = """Traceback (most recent call last):
  File "a.py", line 1, in a
    connect()
OSError: gone

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 2, in b
    give_up()
ValueError: no [/price] in [the] answer
(and more about it)
"""
HEADLINE = "ValueError: no [/price] in [the] answer"
LATE = "expires_at = now() - interval '1 minute'"
UNKNOWN = UUID("01a22198-0000-7000-8000-000000000000")  # a job nobody asked for


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        """What stdout says, which must be JSON and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Said]


class Terminal(io.StringIO):
    """A person who has typed an answer."""

    def isatty(self) -> bool:
        """Return True, as a terminal does."""
        return True


@pytest.fixture
def ledger_env(shared_ledger_env: LedgerEnv) -> LedgerEnv:
    """One database for all tests here, emptied."""
    shared_ledger_env.execute("TRUNCATE job, job_key")
    return shared_ledger_env


@pytest.fixture
def jobs(
    ledger_env: LedgerEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run `tickwork jobs`; nobody sits at the terminal unless the test says what is typed there."""
    monkeypatch.setenv("TICKWORK_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", ledger_env.database_url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, typed: str | None = None) -> Said:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["tickwork", "jobs", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Terminal(typed))
        with pytest.raises(SystemExit) as end:
            main()
        return Said(int(end.value.code or 0), *capsys.readouterr())

    return run


def job_that_is(ledger_env: LedgerEnv, state: str, more: str = "error = 'ValueError: broken'") -> UUID:
    ended = "now()" if state not in {"queued", "running"} else "NULL"
    change = f"state = '{state}', attempt = 3, fence = 3, finished_at = {ended}, {more}"
    return ledger_env.ask(DoNothing(note="of a test"), change, publish_on_commit=False)


def state(ledger_env: LedgerEnv, job_id: UUID) -> str:
    return str(ledger_env.row(job_id)["state"])


def two_alike(ledger_env: LedgerEnv) -> tuple[UUID, UUID]:
    alike = UUID("01234567-89ab-7000-8000-000000000001"), UUID("01234567-89ab-7000-8000-000000000002")
    for job_id in alike:
        ledger_env.execute(f"UPDATE job SET id = '{job_id}' WHERE id = '{job_that_is(ledger_env, 'dead')}'")
    return alike


# --- dead ---------------------------------------------------------------------------------------------------------


def test_a_person_finds_the_dead_reads_why_and_queues_them_again(ledger_env: LedgerEnv, jobs: Run) -> None:
    job_id = job_that_is(ledger_env, "dead")
    job_that_is(ledger_env, "failed")
    listed = jobs("dead")
    rows = [line for line in listed.out.splitlines() if "upkeep.do_nothing" in line]
    ended_at = f"{ledger_env.row(job_id)['finished_at']:%m-%d %H:%M:%S}"
    words = [str(job_id), "upkeep.do_nothing", "normal", "3 of 3", ended_at, "ValueError: broken"]

    assert ([words], 0) == ([[word for word in words if word in row] for row in rows], listed.status)
    assert "`tickwork jobs show ID` tells why; then `tickwork jobs requeue ID`" in listed.out.splitlines()[-1]
    assert Said(0, f"requeued {job_id}\n", "") == jobs("requeue", str(job_id))
    assert "queued" == state(ledger_env, job_id)
    assert Said(0, "No job is dead.\n", "") == jobs("dead")


def test_of_a_traceback_the_table_shows_the_line_that_names_the_exception(ledger_env: LedgerEnv, jobs: Run) -> None:
    job_id = job_that_is(ledger_env, "dead", f"error = '{TRACEBACK}'")
    assert HEADLINE in jobs("dead").out
    assert HEADLINE in jobs("--state", "dead").out

    jobs("discard", str(job_id))
    assert "discarded by a person: ValueError" in " ".join(jobs("--state", "cancelled").out.split())
    assert f"discarded by a person: {TRACEBACK}" == ledger_env.row(job_id)["error"]


def test_a_job_that_died_without_a_word_is_listed_too(ledger_env: LedgerEnv, jobs: Run) -> None:
    job_id = job_that_is(ledger_env, "dead", "error = NULL")

    assert str(job_id) in jobs("dead").out


def test_the_dead_may_be_asked_for_by_name_and_number(ledger_env: LedgerEnv, jobs: Run) -> None:
    ours = [job_that_is(ledger_env, "dead") for _ in range(3)]
    other = job_that_is(ledger_env, "dead", "name = 'metrics.roll_up'")

    assert [str(other)] == [row["id"] for row in jobs("dead", "--name", "metrics.roll_up", "--json").json["jobs"]]
    assert [str(other), str(ours[2])] == [row["id"] for row in jobs("dead", "--limit", "2", "--json").json["jobs"]]
    assert "No such job is dead.\n" == jobs("dead", "--name", "nobody").out
    assert {"jobs": []} == jobs("dead", "--name", "nobody", "--json").json


# --- show ---------------------------------------------------------------------------------------------------------


def test_show_tells_everything_of_a_job_and_of_its_story(ledger_env: LedgerEnv, jobs: Run) -> None:
    first = job_that_is(
        ledger_env, "dead", f"error = '{TRACEBACK}', worker = 'trading@here.1/2', sequence_key = 'account:7'"
    )
    story = f"correlation_id = '{first}', expires_at = '2031-02-03 04:05:06+00', result = '[1]'"
    second = job_that_is(ledger_env, "succeeded", story)
    shown = jobs("show", str(first))

    assert (0, "") == (shown.status, shown.error)
    assert "\n".join(f"  {line}".rstrip() for line in TRACEBACK.splitlines()) in "\n".join(
        line.rstrip() for line in shown.out.splitlines()
    )
    for words in (
        f"upkeep.do_nothing {first}, dead, attempt 3 of 3",
        f"upkeep.do_nothing {second}, succeeded, attempt 3 of 3",
        'arguments    {"note": "of a test"',
        "result       [1]",
        "order key    account:7",
        "expires at   2031-02-03 04:05:06 UTC",
        "worker       trading@here.1/2",
        "fence        3",
    ):
        assert words in shown.out


def test_show_tells_of_a_running_job_who_runs_it_and_until_when(ledger_env: LedgerEnv, jobs: Run) -> None:
    lease = "worker = 'trading@here.1/2', lease_until = '2031-02-03 04:05:06+00', deadline = '90 s'"
    shown = jobs("show", str(job_that_is(ledger_env, "running", lease))).out

    for words in ("worker       trading@here.1/2", "lease until  2031-02-03 04:05:06 UTC", "deadline     0:01:30"):
        assert words in shown


def test_show_gives_scripts_whole_rows(ledger_env: LedgerEnv, jobs: Run) -> None:
    job_id = job_that_is(ledger_env, "dead", f"error = '{TRACEBACK}'")
    (row,) = jobs("show", str(job_id), "--json").json["jobs"]

    assert (str(job_id), "dead", 3, 3, TRACEBACK) == tuple(
        row[name] for name in ("id", "state", "attempt", "fence", "error")
    )
    assert "of a test" == row["arguments"]["note"]
    assert set(ledger_env.row(job_id)) == set(row)


def test_the_beginning_of_an_id_will_do_with_or_without_dashes_in_any_case(ledger_env: LedgerEnv, jobs: Run) -> None:
    first, _ = two_alike(ledger_env)

    for beginning in (str(first), first.hex, str(first).upper()):
        assert str(first) == jobs("show", beginning, "--json").json["jobs"][0]["id"]
    ledger_env.execute(f"DELETE FROM job WHERE id <> '{first}'")
    for length in (8, 9, 13, 35):
        assert str(first) == jobs("show", str(first)[:length], "--json").json["jobs"][0]["id"]


@pytest.mark.parametrize("command", ["show", "requeue", "discard", "cancel"])
def test_a_beginning_that_fits_two_ids_is_named_with_both_and_changes_nothing(
    ledger_env: LedgerEnv, jobs: Run, command: str
) -> None:
    first, second = two_alike(ledger_env)
    said = jobs(command, "01234567-89ab")

    assert (1, "") == (said.status, said.out)
    assert f"tickwork: 01234567-89ab is the beginning of more than one id ({second}, {first}): give more" in said.error
    assert ["dead", "dead"] == [state(ledger_env, job_id) for job_id in (first, second)]


@pytest.mark.parametrize("command", ["show", "requeue", "discard", "cancel"])
def test_an_id_that_nobody_knows_or_that_is_none_is_named_with_the_cure(
    ledger_env: LedgerEnv, jobs: Run, command: str
) -> None:
    dead = job_that_is(ledger_env, "dead")
    unknown = [str(UNKNOWN)] if command == "show" else [str(dead), str(UNKNOWN)]

    said = jobs(command, *unknown, "--json")
    assert (1, "") == (said.status, said.error)
    assert {"error": f"no job has the id {UNKNOWN}: `tickwork jobs` lists those there are"} == said.json
    assert "dead" == state(ledger_env, dead)  # none of several is touched when one of them is a mistake
    for wrong in ("0123456", "not-an-id", f"{UNKNOWN}0"):
        said = jobs(command, wrong)
        assert (2, "") == (said.status, said.out)
        assert f"'{wrong}' is no job's id: give it, or its first 8 characters or more" in said.error


# --- requeue ------------------------------------------------------------------------------------------------------


def test_several_are_queued_again_and_a_refused_one_is_told_of(ledger_env: LedgerEnv, jobs: Run) -> None:
    dead, failed, running = (job_that_is(ledger_env, state) for state in ("dead", "failed", "running"))
    said = jobs("requeue", str(dead), str(running), str(failed), str(dead))

    assert (1, f"requeued {dead}\nrequeued {failed}\n") == (said.status, said.out)
    assert said.error.startswith(f"tickwork: upkeep.do_nothing {running} is running: only one that is dead, failed")
    assert ["queued", "queued", "running"] == [state(ledger_env, job_id) for job_id in (dead, failed, running)]


def test_one_whose_time_is_over_needs_a_word_and_an_entry_never_gets_it(ledger_env: LedgerEnv, jobs: Run) -> None:
    late = job_that_is(ledger_env, "expired", LATE)
    entry = job_that_is(ledger_env, "dead", f"name = 'orders.place_order', {LATE}")

    assert "add --past-expiry" in jobs("requeue", str(late)).error
    said = jobs("requeue", str(late), str(entry), "--past-expiry", "--json")
    assert (1, "", [str(late)]) == (said.status, said.error, said.json["requeued"])
    assert "an entry is never sent late: post the alert again" in said.json["refused"][0]
    assert ["queued", "dead"] == [state(ledger_env, job_id) for job_id in (late, entry)]


def test_all_dead_of_a_name_are_queued_again_at_once(ledger_env: LedgerEnv, jobs: Run) -> None:
    ours = [job_that_is(ledger_env, "dead") for _ in range(3)]
    other = job_that_is(ledger_env, "dead", "name = 'metrics.roll_up'")
    said = jobs("requeue", "--all-dead", "--name", "upkeep.do_nothing", "--yes", "--json")

    assert (0, {"requeued": [str(job_id) for job_id in ours], "refused": []}) == (said.status, said.json)
    assert "dead" == state(ledger_env, other)
    assert Said(0, "There is none.\n", "") == jobs("requeue", "--all-dead", "--name", "upkeep.do_nothing")


def test_all_dead_asks_a_person_first(ledger_env: LedgerEnv, jobs: Run) -> None:
    dead = [job_that_is(ledger_env, "dead") for _ in range(2)]

    said = jobs("requeue", "--all-dead", typed="n\n")
    assert (1, "dead") == (said.status, state(ledger_env, dead[0]))
    assert "nothing was queued again" in said.error
    said = jobs("requeue", "--all-dead", typed="y\n")
    assert (0, ["queued", "queued"]) == (said.status, [state(ledger_env, job_id) for job_id in dead])


@pytest.mark.parametrize(("more", "typed"), [((), None), (("--json",), "y\n")])
def test_all_dead_without_anybody_to_ask_needs_yes(
    ledger_env: LedgerEnv, jobs: Run, more: tuple[str, ...], typed: str | None
) -> None:
    dead = job_that_is(ledger_env, "dead")
    said = jobs("requeue", "--all-dead", *more, typed=typed)

    assert (1, "dead") == (said.status, state(ledger_env, dead))
    assert "--all-dead would queue 1 again: add --yes" in said.out + said.error


@pytest.mark.parametrize("arguments", [(), ("--name", "x"), (str(UNKNOWN), "--all-dead")], ids=" ".join)
def test_requeue_must_be_told_which(jobs: Run, arguments: tuple[str, ...]) -> None:
    said = jobs("requeue", *arguments)

    assert (1, "") == (said.status, said.out)
    assert "say which: `jobs requeue ID...`, or `jobs requeue --all-dead [--name NAME]`" in said.error


# --- discard and cancel -------------------------------------------------------------------------------------------


def test_a_discarded_job_is_off_the_list(ledger_env: LedgerEnv, jobs: Run) -> None:
    dead, failed = job_that_is(ledger_env, "dead"), job_that_is(ledger_env, "failed")

    assert Said(0, f"discarded {dead}\ndiscarded {failed}\n", "") == jobs("discard", str(dead), str(failed))
    assert ["cancelled", "cancelled"] == [state(ledger_env, job_id) for job_id in (dead, failed)]
    assert "No job is dead.\n" == jobs("dead").out


def test_scripts_get_json_and_the_exit_status_tells_of_a_refusal(ledger_env: LedgerEnv, jobs: Run) -> None:
    dead, queued = job_that_is(ledger_env, "dead"), job_that_is(ledger_env, "queued")

    said = jobs("discard", str(dead), str(queued), "--json")
    assert (1, "", [str(dead)]) == (said.status, said.error, said.json["discarded"])
    assert f"{queued} is queued: only one that is dead or failed is discarded" in said.json["refused"][0]
    said = jobs("cancel", str(queued), "--json")
    assert (0, "", {"cancelled": [str(queued)], "refused": []}) == (said.status, said.error, said.json)


def test_what_waits_is_cancelled_and_what_runs_is_told_when_it_ends(ledger_env: LedgerEnv, jobs: Run) -> None:
    queued, running = job_that_is(ledger_env, "queued"), job_that_is(ledger_env, "running", "deadline = '90 s'")
    said = jobs("cancel", str(queued), str(running))

    assert (1, f"cancelled {queued}\n") == (said.status, said.out)
    assert (
        f"{running} is running: only one that is queued is cancelled; this attempt ends by itself, 90 s" in said.error
    )
    assert ["cancelled", "running"] == [state(ledger_env, job_id) for job_id in (queued, running)]


@pytest.mark.parametrize("command", ["discard", "cancel", "show"])
def test_a_command_without_an_id_says_that_it_needs_one(jobs: Run, command: str) -> None:
    said = jobs(command, "--json")

    assert (2, "") == (said.status, said.error)
    assert "ID" in said.json["error"]
