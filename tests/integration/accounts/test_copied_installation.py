"""A copied home or database, and a restored backup: an order has our own id, and is in none of our rows."""

import json

import pytest

from shared.db.accounts import installations
from tests.fixtures.operator import RunCommand
from tests.fixtures.two_installations import buy, count_mutations, hold_one, read_other, reconcile, trade_as
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import run_doctor

REASON = "bears the id of this installation"


def read_own(worker_env: WorkerEnv) -> str:
    with worker_env.ledger.engine.connect() as connection:
        return installations.read_own(connection).id


@pytest.fixture
def copied(worker_env: WorkerEnv) -> WorkerEnv:
    """A worker whose account a copy of its installation has just bought one MNQ on."""
    trade_as(worker_env, read_own(worker_env))
    reconcile(worker_env)
    return worker_env


def test_the_order_of_a_copy_makes_the_account_read_only(copied: WorkerEnv) -> None:
    sent = count_mutations(copied)
    copied.watch()
    copied.run_due_jobs()
    state, error = buy(copied)

    assert "failed" == state
    assert REASON in error
    assert "`tickwork accounts take-over 20001`" in error
    assert sent == count_mutations(copied)
    assert 1 == copied.venue.position(MNQ)
    assert [] == copied.rows("SELECT client_order_id FROM orders WHERE origin = 'external'")


def test_a_restored_backup_reads_only_until_a_person_takes_over(operator: RunCommand, worker_env: WorkerEnv) -> None:
    """The rows of the orders that were placed after the backup are gone, with their fills and positions."""
    hold_one(worker_env)
    worker_env.execute("TRUNCATE fill, position, order_change, orders CASCADE")
    reconcile(worker_env)

    assert read_own(worker_env) == read_other(worker_env)
    assert "failed" == buy(worker_env)[0]
    before = read_own(worker_env)
    assert 0 == operator("accounts", "take-over", "20001", "--yes", "--json").status
    assert before != read_own(worker_env)
    reconcile(worker_env)
    assert ("succeeded", "") == buy(worker_env)


def test_doctor_and_status_say_what_to_do_about_a_copy(operator: RunCommand, copied: WorkerEnv) -> None:
    found = run_doctor(operator, copied)["installations"]

    assert "warning" == found["state"]
    assert REASON in found["detail"]
    assert "Stop the other copy if there is one, check positions and orders at the venue" in found["detail"]
    (alarm,) = operator("positions", "--json").json["alarms"]  # those of `status`
    assert (["read_only"], 20001, True) == (alarm["codes"], alarm["account_id"], REASON in alarm["message"])
    assert REASON in operator("accounts", "show", "20001", "--json").json["account"]["read_only"]


def test_a_take_over_from_a_copy_gives_this_installation_an_id_of_its_own(
    operator: RunCommand, copied: WorkerEnv
) -> None:
    """Also in its home, so that the next `up` keeps it; running workers use it from the next order on."""
    before = read_own(copied)
    file = copied.settings.home / "installation.json"
    file.write_text(json.dumps({"id": before, "computer": "x"}))
    asked = operator("accounts", "take-over", "20001")
    assert f"A copy of this installation ({before}) placed an order on account 20001" in asked.words
    done = operator("accounts", "take-over", "20001", "--yes", "--json")

    after = read_own(copied)
    assert before != after == done.json["new_installation"]
    assert {"id": after, "computer": "x"} == json.loads(file.read_text())
    reconcile(copied)  # which protects the position
    assert ("succeeded", "") == buy(copied)
    ((tag,),) = copied.rows("SELECT client_order_id FROM orders WHERE role = 'ENTRY' AND origin = 'manual'")
    assert tag.startswith(f"tw-{after}-")
    assert tag in copied.venue.accepted_tags()


def test_after_the_take_over_the_copy_counts_as_another_installation(operator: RunCommand, copied: WorkerEnv) -> None:
    before = read_own(copied)
    operator("accounts", "take-over", "20001", "--yes")
    trade_as(copied, before)
    reconcile(copied)

    assert f"another installation of Tickwork ({before}) placed an order on it" in buy(copied)[1]


def test_the_home_of_another_installation_keeps_its_id(operator: RunCommand, copied: WorkerEnv) -> None:
    """As when the command runs with the database's URL on another computer."""
    file = copied.settings.home / "installation.json"
    file.write_text(json.dumps({"id": "0badbeef", "computer": "x"}))
    assert 0 == operator("accounts", "take-over", "20001", "--yes", "--json").status

    assert "0badbeef" == json.loads(file.read_text())["id"]


def test_our_own_orders_are_no_copy_also_with_their_bracket_exits_and_retries(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path="/api/Order/place", kind="lose_answer_after")
    hold_one(worker_env)
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE account SET reconciled_at = NULL")  # so that it reads a whole day
    reconcile(worker_env)

    assert read_other(worker_env) is None
