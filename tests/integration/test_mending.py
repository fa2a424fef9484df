"""What a person may do to a job, by hand and by `tickwork jobs`: requeue, discard, cancel, show."""

import json
import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from cli.main import main
from shared.db.engine import driver
from shared.errors import RefusedError
from shared.ledger import mending
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.fleet import Floor

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tickwork(floor: Floor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("DATABASE_URL", floor.database_url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["tickwork", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return run


def job_that_is(floor: Floor, state: str, more: str = "error = 'ValueError: broken'") -> UUID:
    ended = "now()" if state not in {"queued", "running"} else "NULL"
    change = f"state = '{state}', attempt = 3, fence = 3, finished_at = {ended}, {more}"
    return floor.ask(DoNothing(), change, wakes_itself=False)


def requeue(floor: Floor, job_id: UUID, *, is_late_fine: bool = False) -> None:
    with floor.ledger.engine.begin() as connection:
        mending.requeue(driver(connection), job_id, is_late_fine=is_late_fine)


@pytest.mark.parametrize("state", ["dead", "failed", "expired", "cancelled"])
def test_an_ended_job_is_queued_again_with_all_its_attempts_and_a_new_fence(floor: Floor, state: str) -> None:
    job_id = job_that_is(floor, state)
    requeue(floor, job_id)

    row = floor.row(job_id)
    assert ("queued", 0, 4, None) == (row["state"], row["attempt"], row["fence"], row["finished_at"])
    assert "ValueError: broken" == row["error"]  # until it ends again


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_a_job_that_has_not_failed_is_not_queued_again(floor: Floor, state: str) -> None:
    job_id = job_that_is(floor, state)

    with pytest.raises(RefusedError, match=f"is {state}: only one that is dead"):
        requeue(floor, job_id)
    assert (state, 3) == (floor.row(job_id)["state"], floor.row(job_id)["fence"])


def test_a_job_whose_time_is_over_is_queued_again_only_if_late_is_fine(floor: Floor) -> None:
    job_id = job_that_is(floor, "expired", "expires_at = now() - interval '1 minute'")

    with pytest.raises(RefusedError, match="--past-expiry"):
        requeue(floor, job_id)
    requeue(floor, job_id, is_late_fine=True)
    assert ("queued", None) == (floor.row(job_id)["state"], floor.row(job_id)["expires_at"])


@pytest.mark.parametrize("name", ["alerts.handle_alert", "orders.place_order"])
def test_an_entry_is_never_sent_late_whoever_asks(floor: Floor, name: str) -> None:
    job_id = job_that_is(floor, "expired", f"name = '{name}', expires_at = now() - interval '1 minute'")

    with pytest.raises(RefusedError, match="never sent late"):
        requeue(floor, job_id, is_late_fine=True)
    assert "expired" == floor.row(job_id)["state"]


def test_two_people_at_once_queue_it_again_once(floor: Floor) -> None:
    job_id = job_that_is(floor, "dead")
    told: list[str] = []

    def ask() -> None:
        try:
            requeue(floor, job_id)
            told.append("done")
        except RefusedError:
            told.append("refused")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["done", "refused", "refused", "refused"] == sorted(told)
    assert 4 == floor.row(job_id)["fence"]


def test_cancelling_the_first_of_an_order_key_lets_the_next_one_run(floor: Floor) -> None:
    first, second = (floor.ask(DoNothing(), order_key="account:1", wakes_itself=False) for _ in range(2))
    assert floor.ledger.claim(second, "normal@here.1/1") is None
    with floor.ledger.engine.begin() as connection:
        mending.cancel(driver(connection), first)

    assert floor.ledger.claim(first, "normal@here.1/1") is None
    assert floor.ledger.claim(second, "normal@here.1/1") is not None


def test_a_running_job_is_not_cancelled_and_a_queued_one_not_discarded(floor: Floor) -> None:
    with floor.ledger.engine.begin() as connection:
        with pytest.raises(RefusedError, match="ends by itself"):
            mending.cancel(driver(connection), job_that_is(floor, "running"))
        with pytest.raises(RefusedError, match="dead or failed"):
            mending.discard(driver(connection), job_that_is(floor, "queued"))
        with pytest.raises(RefusedError, match="no job has the id"):
            mending.discard(driver(connection), uuid4())


def test_a_person_finds_the_dead_reads_why_and_queues_them_again(floor: Floor, tickwork: Run) -> None:
    job_id = job_that_is(floor, "dead")
    status, shown, _ = tickwork("jobs", "dead")
    assert (0, True, True) == (status, str(job_id) in shown, "jobs requeue" in shown)

    status, shown, _ = tickwork("jobs", "show", str(job_id)[:20])
    assert (0, True, True) == (status, "ValueError: broken" in shown, "attempt 3 of" in shown)
    assert (0, f"requeued {job_id}\n", "") == tickwork("jobs", "requeue", str(job_id))
    assert "queued" == floor.row(job_id)["state"]
    assert (0, "No job is dead.\n", "") == tickwork("jobs", "dead")


def test_scripts_get_json_and_the_exit_status_tells_of_a_refusal(floor: Floor, tickwork: Run) -> None:
    dead, queued = job_that_is(floor, "dead"), job_that_is(floor, "queued")
    status, shown, _ = tickwork("jobs", "discard", str(dead), str(queued), "--json")

    answer = json.loads(shown)
    assert (1, [str(dead)]) == (status, answer["discarded"])
    assert f"{queued} is queued" in answer["refused"][0]
    assert "cancelled" == floor.row(dead)["state"]
    status, shown, _ = tickwork("jobs", "cancel", str(queued), "--json")
    assert (0, {"cancelled": [str(queued)], "refused": []}) == (status, json.loads(shown))


def test_all_dead_of_a_name_are_queued_again_at_once(floor: Floor, tickwork: Run) -> None:
    ours = [job_that_is(floor, "dead") for _ in range(3)]
    other = job_that_is(floor, "dead", "name = 'metrics.roll_up'")
    status, shown, _ = tickwork("jobs", "requeue", "--all-dead", "--name", "upkeep.do_nothing", "--json")

    assert (0, [str(job) for job in ours]) == (status, json.loads(shown)["requeued"])
    assert "dead" == floor.row(other)["state"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("show", "00000000"), "no job has the id 00000000"),
        (("requeue",), "say which"),
        (("requeue", "--name", "x"), "say which"),
    ],
)
def test_what_is_not_understood_names_the_value_and_the_cure(
    tickwork: Run, arguments: tuple[str, ...], complaint: str
) -> None:
    status, shown, error = tickwork("jobs", *arguments)

    assert (1, "", True) == (status, shown, complaint in error)


def test_a_beginning_that_fits_two_ids_is_not_enough(floor: Floor, tickwork: Run) -> None:
    first, second = job_that_is(floor, "dead"), job_that_is(floor, "dead")
    common = next(
        str(first)[:length] for length in range(8, 36) if str(first)[: length + 1] != str(second)[: length + 1]
    )
    status, _, error = tickwork("jobs", "show", common)

    assert (1, True) == (status, "more than one id" in error)
