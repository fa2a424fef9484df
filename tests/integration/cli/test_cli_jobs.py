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
class Result:
    """What a command said, and its exit status."""

    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        """What stdout says, which must be JSON and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Result]


class Terminal(io.StringIO):
    """A person who has typed an answer."""

    def isatty(self) -> bool:
        """Return True, as a terminal does."""
        return True


@pytest.fixture
def job_ledger(shared_ledger_env: LedgerEnv) -> LedgerEnv:
    """One database for all tests here, emptied."""
    shared_ledger_env.execute("TRUNCATE job, job_key")
    return shared_ledger_env


@pytest.fixture
def jobs(
    job_ledger: LedgerEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run `tickwork jobs`; nobody sits at the terminal unless the test says what is typed there."""
    monkeypatch.setenv("TICKWORK_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", job_ledger.database_url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, typed: str | None = None) -> Result:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["tickwork", "jobs", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Terminal(typed))
        with pytest.raises(SystemExit) as end:
            main()
        return Result(int(end.value.code or 0), *capsys.readouterr())

    return run


def create_job(job_ledger: LedgerEnv, read_state: str, more: str = "error = 'ValueError: broken'") -> UUID:
    ended = "now()" if read_state not in {"queued", "running"} else "NULL"
    change = f"state = '{read_state}', attempt = 3, fence = 3, finished_at = {ended}, {more}"
    return job_ledger.ask(DoNothing(note="of a test"), change, publish_on_commit=False)


def read_state(job_ledger: LedgerEnv, job_id: UUID) -> str:
    return str(job_ledger.row(job_id)["state"])


def create_similar_ids(job_ledger: LedgerEnv) -> tuple[UUID, UUID]:
    similar = UUID("01234567-89ab-7000-8000-000000000001"), UUID("01234567-89ab-7000-8000-000000000002")
    for job_id in similar:
        job_ledger.execute(f"UPDATE job SET id = '{job_id}' WHERE id = '{create_job(job_ledger, 'dead')}'")
    return similar


# --- dead ---------------------------------------------------------------------------------------------------------


def test_dead_jobs_are_listed_and_requeued(job_ledger: LedgerEnv, jobs: Run) -> None:
    job_id = create_job(job_ledger, "dead")
    create_job(job_ledger, "failed")
    listed = jobs("dead")
    rows = [line for line in listed.out.splitlines() if "upkeep.do_nothing" in line]
    ended_at = f"{job_ledger.row(job_id)['finished_at']:%m-%d %H:%M:%S}"
    words = [str(job_id), "upkeep.do_nothing", "normal", "3 of 3", ended_at, "ValueError: broken"]

    assert ([words], 0) == ([[word for word in words if word in row] for row in rows], listed.status)
    assert "`tickwork jobs show ID` tells why; then `tickwork jobs requeue ID`" in listed.out.splitlines()[-1]
    assert Result(0, f"requeued {job_id}\n", "") == jobs("requeue", str(job_id))
    assert "queued" == read_state(job_ledger, job_id)
    assert Result(0, "No job is dead.\n", "") == jobs("dead")


def test_the_table_shows_the_exception_of_a_traceback(job_ledger: LedgerEnv, jobs: Run) -> None:
    job_id = create_job(job_ledger, "dead", f"error = '{TRACEBACK}'")
    assert HEADLINE in jobs("dead").out
    assert HEADLINE in jobs("--state", "dead").out

    jobs("discard", str(job_id))
    assert "discarded by a person: ValueError" in " ".join(jobs("--state", "cancelled").out.split())
    assert f"discarded by a person: {TRACEBACK}" == job_ledger.row(job_id)["error"]


def test_a_dead_job_without_an_error_is_listed(job_ledger: LedgerEnv, jobs: Run) -> None:
    job_id = create_job(job_ledger, "dead", "error = NULL")

    assert str(job_id) in jobs("dead").out


def test_dead_jobs_are_filtered_by_name_and_limited(job_ledger: LedgerEnv, jobs: Run) -> None:
    ours = [create_job(job_ledger, "dead") for _ in range(3)]
    other = create_job(job_ledger, "dead", "name = 'metrics.roll_up'")

    assert [str(other)] == [row["id"] for row in jobs("dead", "--name", "metrics.roll_up", "--json").json["jobs"]]
    assert [str(other), str(ours[2])] == [row["id"] for row in jobs("dead", "--limit", "2", "--json").json["jobs"]]
    assert "No such job is dead.\n" == jobs("dead", "--name", "nobody").out
    assert {"jobs": []} == jobs("dead", "--name", "nobody", "--json").json


# --- show ---------------------------------------------------------------------------------------------------------


def test_show_prints_a_job_and_its_related_jobs(job_ledger: LedgerEnv, jobs: Run) -> None:
    first = create_job(
        job_ledger, "dead", f"error = '{TRACEBACK}', worker = 'trading@here.1/2', sequence_key = 'account:7'"
    )
    story = f"correlation_id = '{first}', expires_at = '2031-02-03 04:05:06+00', result = '[1]'"
    second = create_job(job_ledger, "succeeded", story)
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


def test_show_prints_the_worker_and_the_lease_of_a_running_job(job_ledger: LedgerEnv, jobs: Run) -> None:
    lease = "worker = 'trading@here.1/2', lease_until = '2031-02-03 04:05:06+00', deadline = '90 s'"
    shown = jobs("show", str(create_job(job_ledger, "running", lease))).out

    for words in ("worker       trading@here.1/2", "lease until  2031-02-03 04:05:06 UTC", "deadline     0:01:30"):
        assert words in shown


def test_show_prints_whole_rows_as_json(job_ledger: LedgerEnv, jobs: Run) -> None:
    job_id = create_job(job_ledger, "dead", f"error = '{TRACEBACK}'")
    (row,) = jobs("show", str(job_id), "--json").json["jobs"]

    assert (str(job_id), "dead", 3, 3, TRACEBACK) == tuple(
        row[name] for name in ("id", "state", "attempt", "fence", "error")
    )
    assert "of a test" == row["arguments"]["note"]
    assert set(job_ledger.row(job_id)) == set(row)


def test_the_beginning_of_an_id_works_with_or_without_dashes_in_any_case(job_ledger: LedgerEnv, jobs: Run) -> None:
    first, _ = create_similar_ids(job_ledger)

    for beginning in (str(first), first.hex, str(first).upper()):
        assert str(first) == jobs("show", beginning, "--json").json["jobs"][0]["id"]
    job_ledger.execute(f"DELETE FROM job WHERE id <> '{first}'")
    for length in (8, 9, 13, 35):
        assert str(first) == jobs("show", str(first)[:length], "--json").json["jobs"][0]["id"]


@pytest.mark.parametrize("command", ["show", "requeue", "discard", "cancel"])
def test_an_ambiguous_id_is_refused_with_both_ids(job_ledger: LedgerEnv, jobs: Run, command: str) -> None:
    first, second = create_similar_ids(job_ledger)
    result = jobs(command, "01234567-89ab")

    assert (1, "") == (result.status, result.out)
    assert (
        f"tickwork: 01234567-89ab is the beginning of more than one id ({second}, {first}): give more" in result.error
    )
    assert ["dead", "dead"] == [read_state(job_ledger, job_id) for job_id in (first, second)]


@pytest.mark.parametrize("command", ["show", "requeue", "discard", "cancel"])
def test_an_unknown_or_invalid_id_is_refused_with_a_hint(job_ledger: LedgerEnv, jobs: Run, command: str) -> None:
    dead = create_job(job_ledger, "dead")
    unknown = [str(UNKNOWN)] if command == "show" else [str(dead), str(UNKNOWN)]

    result = jobs(command, *unknown, "--json")
    assert (1, "") == (result.status, result.error)
    assert {"error": f"no job has the id {UNKNOWN}: `tickwork jobs` lists those there are"} == result.json
    assert "dead" == read_state(job_ledger, dead)  # none of several is touched when one of them is a mistake
    for wrong in ("0123456", "not-an-id", f"{UNKNOWN}0"):
        result = jobs(command, wrong)
        assert (2, "") == (result.status, result.out)
        assert f"'{wrong}' is no job's id: give it, or its first 8 characters or more" in result.error


# --- requeue ------------------------------------------------------------------------------------------------------


def test_several_jobs_are_requeued_and_a_refusal_is_reported(job_ledger: LedgerEnv, jobs: Run) -> None:
    dead, failed, running = (create_job(job_ledger, read_state) for read_state in ("dead", "failed", "running"))
    result = jobs("requeue", str(dead), str(running), str(failed), str(dead))

    assert (1, f"requeued {dead}\nrequeued {failed}\n") == (result.status, result.out)
    assert result.error.startswith(f"tickwork: upkeep.do_nothing {running} is running: only one that is dead, failed")
    assert ["queued", "queued", "running"] == [read_state(job_ledger, job_id) for job_id in (dead, failed, running)]


def test_an_expired_job_needs_an_option_and_an_expired_entry_is_never_requeued(
    job_ledger: LedgerEnv, jobs: Run
) -> None:
    late = create_job(job_ledger, "expired", LATE)
    entry = create_job(job_ledger, "dead", f"name = 'orders.place_order', {LATE}")

    assert "add --past-expiry" in jobs("requeue", str(late)).error
    result = jobs("requeue", str(late), str(entry), "--past-expiry", "--json")
    assert (1, "", [str(late)]) == (result.status, result.error, result.json["requeued"])
    assert "an entry is never sent late: post the alert again" in result.json["refused"][0]
    assert ["queued", "dead"] == [read_state(job_ledger, job_id) for job_id in (late, entry)]


def test_all_dead_jobs_of_a_name_are_requeued_at_once(job_ledger: LedgerEnv, jobs: Run) -> None:
    ours = [create_job(job_ledger, "dead") for _ in range(3)]
    other = create_job(job_ledger, "dead", "name = 'metrics.roll_up'")
    result = jobs("requeue", "--all-dead", "--name", "upkeep.do_nothing", "--yes", "--json")

    assert (0, {"requeued": [str(job_id) for job_id in ours], "refused": []}) == (result.status, result.json)
    assert "dead" == read_state(job_ledger, other)
    assert Result(0, "There is none.\n", "") == jobs("requeue", "--all-dead", "--name", "upkeep.do_nothing")


def test_all_dead_asks_for_confirmation(job_ledger: LedgerEnv, jobs: Run) -> None:
    dead = [create_job(job_ledger, "dead") for _ in range(2)]

    result = jobs("requeue", "--all-dead", typed="n\n")
    assert (1, "dead") == (result.status, read_state(job_ledger, dead[0]))
    assert "nothing was queued again" in result.error
    result = jobs("requeue", "--all-dead", typed="y\n")
    assert (0, ["queued", "queued"]) == (result.status, [read_state(job_ledger, job_id) for job_id in dead])


@pytest.mark.parametrize(("more", "typed"), [((), None), (("--json",), "y\n")])
def test_all_dead_without_a_terminal_needs_yes(
    job_ledger: LedgerEnv, jobs: Run, more: tuple[str, ...], typed: str | None
) -> None:
    dead = create_job(job_ledger, "dead")
    result = jobs("requeue", "--all-dead", *more, typed=typed)

    assert (1, "dead") == (result.status, read_state(job_ledger, dead))
    assert "--all-dead would queue 1 again: add --yes" in result.out + result.error


@pytest.mark.parametrize("arguments", [(), ("--name", "x"), (str(UNKNOWN), "--all-dead")], ids=" ".join)
def test_requeue_needs_ids_or_all_dead(jobs: Run, arguments: tuple[str, ...]) -> None:
    result = jobs("requeue", *arguments)

    assert (1, "") == (result.status, result.out)
    assert "say which: `jobs requeue ID...`, or `jobs requeue --all-dead [--name NAME]`" in result.error


# --- discard and cancel -------------------------------------------------------------------------------------------


def test_a_discarded_job_leaves_the_list(job_ledger: LedgerEnv, jobs: Run) -> None:
    dead, failed = create_job(job_ledger, "dead"), create_job(job_ledger, "failed")

    assert Result(0, f"discarded {dead}\ndiscarded {failed}\n", "") == jobs("discard", str(dead), str(failed))
    assert ["cancelled", "cancelled"] == [read_state(job_ledger, job_id) for job_id in (dead, failed)]
    assert "No job is dead.\n" == jobs("dead").out


def test_json_output_and_exit_status_report_a_refusal(job_ledger: LedgerEnv, jobs: Run) -> None:
    dead, queued = create_job(job_ledger, "dead"), create_job(job_ledger, "queued")

    result = jobs("discard", str(dead), str(queued), "--json")
    assert (1, "", [str(dead)]) == (result.status, result.error, result.json["discarded"])
    assert f"{queued} is queued: only one that is dead or failed is discarded" in result.json["refused"][0]
    result = jobs("cancel", str(queued), "--json")
    assert (0, "", {"cancelled": [str(queued)], "refused": []}) == (result.status, result.error, result.json)


def test_a_queued_job_is_cancelled_and_a_running_one_reports_its_deadline(job_ledger: LedgerEnv, jobs: Run) -> None:
    queued, running = create_job(job_ledger, "queued"), create_job(job_ledger, "running", "deadline = '90 s'")
    result = jobs("cancel", str(queued), str(running))

    assert (1, f"cancelled {queued}\n") == (result.status, result.out)
    assert (
        f"{running} is running: only one that is queued is cancelled; this attempt ends by itself, 90 s" in result.error
    )
    assert ["cancelled", "running"] == [read_state(job_ledger, job_id) for job_id in (queued, running)]


@pytest.mark.parametrize("command", ["discard", "cancel", "show"])
def test_a_command_without_an_id_is_refused(jobs: Run, command: str) -> None:
    result = jobs(command, "--json")

    assert (2, "") == (result.status, result.error)
    assert "ID" in result.json["error"]
