"""Flat means that the venue says so: through outages, lost answers, entries on their way, and dead workers."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared.db.accounts import accounts
from shared.ledger.jobs.orders import PlaceOrder
from shared.ledger.jobs.risk import WatchAccounts
from tests.fixtures.program_env import env_of
from tests.fixtures.venue import MES, MNQ
from tests.fixtures.worker_env import Desk

CLOSE = "/api/Position/closeContract"
CANCEL = "/api/Order/cancel"
PLACE = "/api/Order/place"
ENTRY = "SELECT state, reason FROM orders WHERE role = 'ENTRY' ORDER BY id"


def working(desk: Desk) -> list[dict[str, Any]]:
    """Everything that may still fill at the venue."""
    body = {"filter": {"accountId": desk.venue.account_id, "statuses": [1, 6, 7, 8]}}
    orders: list[dict[str, Any]] = desk.venue.post("/api/Order/v2/query", **body)["orders"]
    return orders


def is_flat(desk: Desk) -> bool:
    return 0 == desk.venue.position(MNQ) == desk.venue.position(MES) and [] == working(desk)


def rest_a_limit(desk: Desk) -> None:
    """Leave an entry far below the market, with a bracket, placed by somebody else."""
    price = float(desk.rows("SELECT close_ticks * 0.25 FROM bar_minute ORDER BY start DESC LIMIT 1")[0][0]) - 500
    answer = desk.venue.place(type=1, limitPrice=price, customTag="by-hand", stopLossBracket={"ticks": -40, "type": 4})
    assert answer["success"], answer


def test_flatten_closes_positions_and_cancels_orders_of_every_contract(desk: Desk) -> None:
    desk.alert(quantity=2, take_profit_ticks=800)
    desk.work()
    desk.venue.trade(contractId=MES)
    rest_a_limit(desk)
    job = desk.flatten(reason="enough")
    desk.work()

    assert ("succeeded", "flat: no position, no working order") == (desk.job(job)[0], desk.job(job)[1]["venue_says"])
    assert is_flat(desk)
    assert [] == desk.rows("SELECT id FROM orders WHERE state IN ('CREATED', 'SUBMITTING', 'WORKING', 'SUSPENDED')")
    assert [(True,)] == desk.rows("SELECT flat_at IS NOT NULL FROM flattening")
    assert [] == desk.rows("SELECT 1 FROM position WHERE quantity <> 0")


def test_flatten_of_one_contract_leaves_the_others_alone(desk: Desk) -> None:
    desk.alert()
    desk.work()
    desk.venue.trade(contractId=MES)
    desk.flatten(MNQ)
    desk.work()

    assert 0 == desk.venue.position(MNQ)
    assert 1 == desk.venue.position(MES)


def test_a_flat_account_is_flattened_by_the_venues_word_alone(desk: Desk) -> None:
    job = desk.flatten()
    desk.work()

    assert "succeeded" == desk.job(job)[0]
    assert [] == desk.venue.requests(CLOSE)


def test_orders_are_cancelled_although_no_position_is_held(desk: Desk) -> None:
    rest_a_limit(desk)
    desk.flatten()
    desk.work()

    assert [] == working(desk)


@pytest.mark.parametrize("path", [CLOSE, CANCEL])
@pytest.mark.parametrize("kind", ["lose_before", "lose_answer_after", "status"])
def test_a_lost_answer_does_not_end_it_and_does_not_turn_the_position(desk: Desk, path: str, kind: str) -> None:
    desk.alert(take_profit_ticks=800)
    desk.work()
    rest_a_limit(desk)
    desk.venue.faults(path=path, kind=kind, count=2)
    desk.flatten()
    desk.work()

    assert is_flat(desk)


def test_during_an_outage_it_keeps_trying_and_says_so(desk: Desk) -> None:
    desk.alert()
    desk.work()
    job = desk.flatten()
    desk.venue.kill()
    for _ in range(3):
        desk.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
        desk.runner.run(job)

    assert "queued" == desk.job(job)[0]
    ((progress, flat_at),) = desk.rows("SELECT progress, flat_at FROM flattening")
    assert "the venue could not be asked" in progress
    assert flat_at is None
    desk.venue.start()
    desk.work()
    assert "succeeded" == desk.job(job)[0]
    assert is_flat(desk)


def test_an_outage_is_never_mistaken_for_flat(desk: Desk) -> None:
    desk.alert()
    desk.work()
    job = desk.flatten()
    desk.venue.faults(path="/api/Position/searchOpen", kind="null_list", count=3)
    desk.runner.run(job)

    assert "queued" == desk.job(job)[0]
    desk.venue.forget_faults()
    desk.work()
    assert is_flat(desk)


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_in_between_does_not_end_it(desk: Desk, status: int) -> None:
    desk.alert()
    desk.work()
    job = desk.flatten()
    desk.venue.faults(path="/api/Position/searchOpen", kind="status", status=status)
    desk.runner.run(job)

    assert "queued" == desk.job(job)[0]
    assert "the venue refuses to say" in desk.rows("SELECT progress FROM flattening")[0][0]
    desk.work()
    assert is_flat(desk)


def test_a_wish_whose_job_was_lost_gets_another_from_the_watch(desk: Desk) -> None:
    desk.alert()
    desk.work()
    job = desk.flatten()
    desk.execute(f"UPDATE job SET state = 'dead', error = 'lost', finished_at = now() WHERE id = '{job}'")
    desk.execute("UPDATE flattening SET asked_at = now() + interval '1 hour'")  # just now, however slow we are
    desk.runner.run(desk.ask(WatchAccounts()))
    assert [] == desk.rows("SELECT 1 FROM job WHERE name = 'orders.flatten' AND state = 'queued'")
    desk.execute("UPDATE flattening SET asked_at = now() - interval '10 seconds'")
    for _ in range(2):
        desk.runner.run(desk.ask(WatchAccounts()))

    assert 1 == len(desk.rows("SELECT 1 FROM job WHERE name = 'orders.flatten' AND state = 'queued'"))
    desk.work()
    assert is_flat(desk)


def test_an_order_that_one_answer_leaves_out_is_not_mistaken_for_flat(desk: Desk) -> None:
    desk.venue.faults(path="/api/Order/searchOpen", kind="stale_search_open", count=2)
    working(desk)
    rest_a_limit(desk)
    job = desk.flatten()
    desk.work()

    assert "succeeded" == desk.job(job)[0]
    assert is_flat(desk)


def test_an_entry_that_was_not_sent_is_cancelled_and_never_leaves(desk: Desk) -> None:
    desk.venue.kill()
    desk.alert()
    desk.runner.run(desk.rows("SELECT id FROM job WHERE name = 'alerts.handle_alert'")[0][0])
    assert [("CREATED", None)] == desk.rows(ENTRY)
    desk.venue.start()
    desk.runner.run(desk.flatten())
    desk.work()

    assert ["CANCELLED"] == [state for state, _ in desk.rows(ENTRY)]
    assert [] == desk.venue.requests(PLACE)


def test_an_entry_of_unknown_fate_is_waited_for(desk: Desk) -> None:
    desk.venue.faults(path=PLACE, kind="lose_answer_after")
    desk.runner.run(desk.alert())
    assert ["UNKNOWN"] == [state for state, _ in desk.rows(ENTRY)]
    desk.flatten()
    desk.work()

    assert is_flat(desk)


def test_complaint_3_an_entry_claimed_before_a_halt_is_stopped_by_it(desk: Desk) -> None:
    """The halt is read in the transaction that makes the order SUBMITTING, not only when it was judged."""
    desk.alert(quantity=1)
    job = desk.rows("SELECT id FROM job WHERE name = 'alerts.handle_alert'")[0][0]
    desk.venue.kill()
    desk.runner.run(job)
    desk.venue.start()
    with desk.ledger.engine.begin() as connection:
        assert [desk.venue.account_id] == accounts.halt(connection, "enough for today")
    desk.work()

    assert [("DENIED", "the account is halted: enough for today")] == desk.rows(ENTRY)
    assert [] == desk.venue.requests(PLACE)
    assert [("halted", "enough for today")] == desk.rows("SELECT kind, message FROM account_event")


def test_a_halted_account_enters_nothing_closes_all_and_enters_again_once_resumed(desk: Desk) -> None:
    desk.alert()
    desk.work()
    with desk.ledger.engine.begin() as connection:
        accounts.halt(connection, "lunch", desk.venue.account_id)
    refused = desk.alert()
    desk.flatten()
    desk.work()

    assert "is halted: lunch" in (desk.job(refused)[2] or "")
    assert is_flat(desk)
    with desk.ledger.engine.begin() as connection:
        accounts.resume(connection, "back", desk.venue.account_id)
    desk.alert()
    desk.work()
    assert 1 == desk.venue.position(MNQ)


def test_an_entry_waits_while_its_contract_is_flattened_and_is_refused_while_its_account_is(desk: Desk) -> None:
    desk.flatten(MNQ)
    waiting = desk.alert()
    desk.runner.run(waiting)
    assert "is being flattened" in (desk.job(waiting)[2] or "")
    assert "queued" == desk.job(waiting)[0]
    desk.work()
    assert "succeeded" == desk.job(waiting)[0]

    desk.flatten(reason="the red button")
    refused = desk.alert()
    desk.runner.run(refused)
    assert "it is being flattened: the red button" in (desk.job(refused)[2] or "")


def test_with_every_worker_dead_one_process_does_the_job_to_its_end(desk: Desk, tmp_path: Path) -> None:
    desk.alert()
    desk.work()
    job = desk.flatten()
    done = run_alone(desk, job, tmp_path)

    assert 0 == done.returncode, done.stderr
    assert "succeeded" in done.stdout
    assert is_flat(desk)


def test_one_process_alone_says_what_it_cannot_do(desk: Desk, tmp_path: Path) -> None:
    refused = desk.ask(PlaceOrder(order_id=UUID(int=1)))
    done = run_alone(desk, refused, tmp_path)

    assert 1 == done.returncode
    assert "does not exist" in done.stdout
    usage = subprocess.run(
        [sys.executable, "-m", "workers.run_job", "nonsense"],
        env=env_of(desk),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "usage: python -m workers.run_job JOB_ID" in usage.stderr


def run_alone(desk: Desk, job: UUID, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "workers.run_job", str(job)],
        env=env_of(desk) | {"TICKWORK_HOME": str(folder / "alone")},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
