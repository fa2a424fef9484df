"""`tickwork jobs requeue`, `discard` and `cancel`, on a real database."""

import pytest

from tests.fixtures.ledger_env import LedgerEnv
from tests.integration.cli.jobs_command import LATE, UNKNOWN, Result, Run, create_job, create_similar_ids, read_state


@pytest.mark.parametrize("command", ["show", "requeue", "discard", "cancel"])
def test_an_ambiguous_id_is_refused_with_both_ids(job_ledger: LedgerEnv, jobs: Run, command: str) -> None:
    first, second = create_similar_ids(job_ledger)
    result = jobs(command, "01234567-89ab")

    assert (1, "") == (result.status, result.out)
    assert f"tickwork: job id 0123456789ab is ambiguous ({second}, {first}): give more" in result.error
    assert ["dead", "dead"] == [read_state(job_ledger, job_id) for job_id in (first, second)]


@pytest.mark.parametrize("command", ["show", "requeue", "discard", "cancel"])
def test_an_unknown_or_invalid_id_is_refused_with_a_hint(job_ledger: LedgerEnv, jobs: Run, command: str) -> None:
    dead = create_job(job_ledger, "dead")
    unknown = [str(UNKNOWN)] if command == "show" else [str(dead), str(UNKNOWN)]

    result = jobs(command, *unknown, "--json")
    assert (1, "") == (result.status, result.error)
    assert {"error": f"no job id begins or ends with {UNKNOWN.hex}: `tickwork jobs` lists the ids"} == result.json
    assert "dead" == read_state(job_ledger, dead)  # one invalid id of several changes no job
    for wrong in ("0123456", "not-an-id", f"{UNKNOWN}0"):
        result = jobs(command, wrong)
        assert (2, "") == (result.status, result.out)
        assert (
            f"invalid job id '{wrong}': expected an id, or at least 8 of its first or last characters" in result.error
        )


def test_several_jobs_are_requeued_and_a_refusal_is_reported(job_ledger: LedgerEnv, jobs: Run) -> None:
    dead, failed, running = (create_job(job_ledger, state) for state in ("dead", "failed", "running"))
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
    assert (
        "an entry is never submitted late: post the alert, or enter the order, again"
        in result.json["refused"][0]["error"]
    )
    assert ["queued", "dead"] == [read_state(job_ledger, job_id) for job_id in (late, entry)]


def test_all_dead_jobs_of_a_name_are_requeued_at_once(job_ledger: LedgerEnv, jobs: Run) -> None:
    ours = [create_job(job_ledger, "dead") for _ in range(3)]
    other = create_job(job_ledger, "dead", "name = 'metrics.roll_up'")
    result = jobs("requeue", "--all-dead", "--name", "upkeep.do_nothing", "--yes", "--json")

    assert (0, {"requeued": [str(job_id) for job_id in ours], "refused": []}) == (result.status, result.json)
    assert "dead" == read_state(job_ledger, other)
    assert Result(0, "Nothing to do.\n", "") == jobs("requeue", "--all-dead", "--name", "upkeep.do_nothing")


def test_all_dead_asks_for_confirmation(job_ledger: LedgerEnv, jobs: Run) -> None:
    dead = [create_job(job_ledger, "dead") for _ in range(2)]

    result = jobs("requeue", "--all-dead", typed="n\n")
    assert (1, "dead") == (result.status, read_state(job_ledger, dead[0]))
    assert "nothing was requeued" in result.error
    result = jobs("requeue", "--all-dead", typed="y\n")
    assert (0, ["queued", "queued"]) == (result.status, [read_state(job_ledger, job_id) for job_id in dead])


@pytest.mark.parametrize(("more", "typed"), [((), None), (("--json",), "y\n")])
def test_all_dead_without_a_terminal_needs_yes(
    job_ledger: LedgerEnv, jobs: Run, more: tuple[str, ...], typed: str | None
) -> None:
    dead = create_job(job_ledger, "dead")
    result = jobs("requeue", "--all-dead", *more, typed=typed)

    assert (1, "dead") == (result.status, read_state(job_ledger, dead))
    assert "--all-dead would requeue 1 job: add --yes" in result.out + result.error


@pytest.mark.parametrize("arguments", [(), ("--name", "x"), (str(UNKNOWN), "--all-dead")], ids=" ".join)
def test_requeue_needs_ids_or_all_dead(jobs: Run, arguments: tuple[str, ...]) -> None:
    result = jobs("requeue", *arguments)

    assert (1, "") == (result.status, result.out)
    assert "choose the jobs: `jobs requeue ID...`, or `jobs requeue --all-dead [--name NAME]`" in result.error


def test_a_discarded_job_leaves_the_list(job_ledger: LedgerEnv, jobs: Run) -> None:
    dead, failed = create_job(job_ledger, "dead"), create_job(job_ledger, "failed")

    assert Result(0, f"discarded {dead}\ndiscarded {failed}\n", "") == jobs("discard", str(dead), str(failed))
    assert ["cancelled", "cancelled"] == [read_state(job_ledger, job_id) for job_id in (dead, failed)]
    assert "No job is dead.\n" == jobs("dead").out


def test_json_output_and_exit_status_report_a_refusal(job_ledger: LedgerEnv, jobs: Run) -> None:
    dead, queued = create_job(job_ledger, "dead"), create_job(job_ledger, "queued")

    result = jobs("discard", str(dead), str(queued), "--json")
    assert (1, "", [str(dead)]) == (result.status, result.error, result.json["discarded"])
    assert f"{queued} is queued: only one that is dead or failed is discarded" in result.json["refused"][0]["error"]
    result = jobs("cancel", str(queued), "--json")
    assert (0, "", {"cancelled": [str(queued)], "refused": []}) == (result.status, result.error, result.json)


def test_a_queued_job_is_cancelled_and_a_running_one_is_asked_to_end(job_ledger: LedgerEnv, jobs: Run) -> None:
    queued, running = create_job(job_ledger, "queued"), create_job(job_ledger, "running")
    result = jobs("cancel", str(queued), str(running))

    assert (0, f"cancelled {queued}\ncancelled {running}\n") == (result.status, result.out)
    assert job_ledger.row(running)["cancel_requested_at"] is not None
    assert ["cancelled", "running"] == [read_state(job_ledger, job_id) for job_id in (queued, running)]


@pytest.mark.parametrize("command", ["discard", "cancel", "show"])
def test_a_command_without_an_id_is_refused(jobs: Run, command: str) -> None:
    result = jobs(command, "--json")

    assert (2, "") == (result.status, result.error)
    assert "ID" in result.json["error"]
