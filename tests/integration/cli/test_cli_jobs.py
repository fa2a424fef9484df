"""`tickwork jobs`, `jobs dead` and `jobs show`, on a real database."""

from shared.ledger.worker_registry import beat
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.worker_processes import worker, worker_id
from tests.integration.cli.jobs_command import (
    HEADLINE,
    TRACEBACK,
    Result,
    Run,
    create_job,
    create_similar_ids,
    read_state,
)

BY_WORKER = f"worker_id = '{worker_id('normal@here.1')}', process_id = 2"


def test_dead_jobs_are_listed_and_requeued(job_ledger: LedgerEnv, jobs: Run) -> None:
    job_id = create_job(job_ledger, "dead")
    create_job(job_ledger, "failed")
    listed = jobs("dead")
    rows = [line for line in listed.out.splitlines() if "upkeep.do_nothing" in line]
    ended_at = f"{job_ledger.row(job_id)['finished_at']:%m-%d %H:%M:%S}"
    words = [str(job_id)[-8:], "upkeep.do_nothing", "normal", "3 of 3", ended_at, "ValueError: broken"]

    assert ([words], 0) == ([[word for word in words if word in row] for row in rows], listed.status)
    assert "`tickwork jobs show ID` shows why; then run `tickwork jobs requeue ID`" in listed.out.splitlines()[-1]
    assert Result(0, f"requeued {job_id}\n", "") == jobs("requeue", str(job_id)[-8:])
    assert "queued" == read_state(job_ledger, job_id)
    assert Result(0, "No job is dead.\n", "") == jobs("dead")


def test_the_table_shows_the_exception_of_a_traceback(job_ledger: LedgerEnv, jobs: Run) -> None:
    job_id = create_job(job_ledger, "dead", f"error = '{TRACEBACK}'")
    assert HEADLINE in jobs("dead").out
    assert HEADLINE in jobs("--state", "dead").out

    jobs("discard", str(job_id))
    assert "discarded by a person: ValueError" in " ".join(jobs("--state", "cancelled").out.split())
    assert f"discarded by a person: {TRACEBACK}" == job_ledger.row(job_id)["error"]


def test_routine_is_listed_when_it_failed_or_is_asked_for(job_ledger: LedgerEnv, jobs: Run) -> None:
    create_job(job_ledger, "succeeded", "name = 'metrics.roll_up'")
    failed = create_job(job_ledger, "failed", "name = 'orders.reconcile_account'")
    running = create_job(job_ledger, "running", "name = 'orders.place_order'")

    def listed(*options: str) -> list[str]:
        return [row["id"] for row in jobs(*options, "--json").json["jobs"]]

    assert [str(running), str(failed)] == listed()
    assert [str(running)] == listed("--limit", "1")
    assert 3 == len(listed("--all"))
    assert 1 == len(listed("--name", "metrics.roll_up"))
    assert "Routine is not shown: `tickwork jobs --all` lists it too." in jobs().out


def test_a_dead_job_without_an_error_is_listed(job_ledger: LedgerEnv, jobs: Run) -> None:
    job_id = create_job(job_ledger, "dead", "error = NULL")

    assert str(job_id)[-8:] in jobs("dead").out
    assert str(job_id) in jobs("dead", "-o", "wide").out


def test_dead_jobs_are_filtered_by_name_and_limited(job_ledger: LedgerEnv, jobs: Run) -> None:
    ours = [create_job(job_ledger, "dead") for _ in range(3)]
    other = create_job(job_ledger, "dead", "name = 'metrics.roll_up'")

    assert [str(other)] == [row["id"] for row in jobs("dead", "--name", "metrics.roll_up", "--json").json["jobs"]]
    assert [str(other), str(ours[2])] == [row["id"] for row in jobs("dead", "--limit", "2", "--json").json["jobs"]]
    assert "No dead jobs with --name none.such.\n" == jobs("dead", "--name", "none.such").out
    assert {"jobs": []} == jobs("dead", "--name", "none.such", "--json").json


def test_show_prints_a_job_and_its_related_jobs(job_ledger: LedgerEnv, jobs: Run) -> None:
    beat(job_ledger.ledger.connection.open(), worker("normal@here.1"))
    first = create_job(job_ledger, "dead", f"error = '{TRACEBACK}', {BY_WORKER}, sequence_key = 'account:7'")
    story = f"correlation_id = '{first}', expires_at = '2031-02-03 04:05:06+00', result = '[1]'"
    second = create_job(job_ledger, "succeeded", story)
    assert f"\n  {HEADLINE}\n" in jobs("show", str(first)).out
    shown = jobs("show", str(first), "--traceback")

    assert (0, "") == (shown.status, shown.error)
    assert "\n".join(f"  {line}".rstrip() for line in TRACEBACK.splitlines()) in "\n".join(
        line.rstrip() for line in shown.out.splitlines()
    )
    for words in (
        f"upkeep.do_nothing {first}, dead, attempt 3 of 3",
        f"upkeep.do_nothing {second}, succeeded, attempt 3 of 3",
        'arguments    {"note": "of a test"',
        "result       [1]",
        "sequence key account:7",
        "expires at   2031-02-03 04:05:06 UTC",
        "worker       normal@here.1/2",
    ):
        assert words in shown.out


def test_show_prints_the_worker_and_the_lease_of_a_running_job(job_ledger: LedgerEnv, jobs: Run) -> None:
    beat(job_ledger.ledger.connection.open(), worker("normal@here.1"))
    lease = f"{BY_WORKER}, lease_until = '2031-02-03 04:05:06+00', deadline = '90 s'"
    shown = jobs("show", str(create_job(job_ledger, "running", lease))).out

    for words in ("worker       normal@here.1/2", "lease until  2031-02-03 04:05:06 UTC", "deadline     0:01:30"):
        assert words in shown


def test_show_prints_whole_rows_as_json(job_ledger: LedgerEnv, jobs: Run) -> None:
    job_id = create_job(job_ledger, "dead", f"error = '{TRACEBACK}'")
    (row,) = jobs("show", str(job_id), "--json").json["jobs"]

    assert (str(job_id), "dead", 3, 3, TRACEBACK) == tuple(
        row[name] for name in ("id", "state", "attempt", "max_attempts", "error")
    )
    assert "of a test" == row["arguments"]["note"]
    columns = {"deadline_s" if name == "deadline" else name for name in job_ledger.row(job_id)}
    assert {*columns, "requested_by", "worker"} == set(row)


def test_the_beginning_of_an_id_works_with_or_without_dashes_in_any_case(job_ledger: LedgerEnv, jobs: Run) -> None:
    first, _ = create_similar_ids(job_ledger)

    for beginning in (str(first), first.hex, str(first).upper()):
        assert str(first) == jobs("show", beginning, "--json").json["jobs"][0]["id"]
    job_ledger.execute(f"DELETE FROM job WHERE id <> '{first}'")
    for length in (8, 9, 13, 35):
        assert str(first) == jobs("show", str(first)[:length], "--json").json["jobs"][0]["id"]
