"""Two installations on one credential: the one that sees the other's orders only reads, until a person takes over."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.db.accounts import accounts, installations
from shared.db.accounts.audit import PROGRAM
from shared.db.accounts.installations import take_over
from shared.db.engine import make_engine
from shared.domain.accounts.installation import OtherInstallation, make_tag
from shared.domain.orders.order import Role
from shared.errors import RefusedError
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.two_installations import OTHER, PLACE, buy, count_mutations, reconcile
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv, open_worker_env
from tests.fixtures.worker_processes import process
from workers.wiring import open_runner


def place_as_other(worker_env: WorkerEnv) -> str:
    """Buy one MNQ at the venue as another installation does, without a stop; return the tag."""
    tag = make_tag(OTHER, uuid4(), Role.ENTRY)
    worker_env.venue.trade(customTag=tag)
    return tag


@pytest.fixture
def read_only(worker_env: WorkerEnv) -> WorkerEnv:
    """A worker whose account another installation has just bought one MNQ on."""
    place_as_other(worker_env)
    reconcile(worker_env)
    return worker_env


def test_an_order_carries_the_id_of_its_installation(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()

    ((order_id, tag, own),) = worker_env.rows(
        "SELECT o.id, client_order_id, i.id FROM orders o, installation i WHERE role = 'ENTRY'"
    )
    assert make_tag(own, order_id, Role.ENTRY) == tag
    assert tag in worker_env.venue.accepted_tags()


def test_no_entry_is_sent_while_another_installation_trades_the_account(read_only: WorkerEnv) -> None:
    sent = count_mutations(read_only)

    state, error = buy(read_only)
    assert "failed" == state
    assert f"another installation of Tickwork ({OTHER}) placed an order on it" in error
    assert "`tickwork accounts take-over 20001`" in error
    assert sent == count_mutations(read_only)


def test_neither_guard_nor_watch_acts_on_a_position_of_another_installation(read_only: WorkerEnv) -> None:
    """The position has no stop, and its account is beyond its maximum loss: alone, both would act."""
    sent = count_mutations(read_only)
    read_only.execute(
        'UPDATE account SET high_water_mark = balance + 50000, rule_changes = \'{"max_loss_limit": "100"}\''
    )
    for _ in range(3):
        reconcile(read_only)
        read_only.write_quote()
        read_only.watch()
        read_only.run_due_jobs()

    assert 1 == read_only.venue.position(MNQ)
    assert sent == count_mutations(read_only)
    assert [] == read_only.rows("SELECT 1 FROM flatten_request")
    assert [(1,)] == read_only.rows("SELECT quantity FROM position")


def test_the_orders_of_another_installation_are_not_adopted(read_only: WorkerEnv) -> None:
    assert [] == read_only.rows("SELECT client_order_id FROM orders")
    assert ["read_only"] == [kind for (kind,) in read_only.rows("SELECT kind FROM account_event")]


def test_after_a_take_over_the_position_is_guarded_and_entries_pass(operator: RunCommand, read_only: WorkerEnv) -> None:
    refused = operator("accounts", "take-over", "20001")
    assert "Is it stopped for good? There is no terminal to confirm at: add --yes" in refused.words
    done = operator("accounts", "take-over", "20001", "--yes", "--reason", "the laptop is sold")
    assert 0 == done.status, done
    assert [("take_over", "the laptop is sold")] == read_only.rows("SELECT act, reason FROM audit")

    reconcile(read_only)
    stops = [one for one in read_only.venue.requests(PLACE) if one.get("stopPrice")]
    assert 1 == len(stops)
    assert ("succeeded", "") == buy(read_only)
    assert "nothing to take over" in operator("accounts", "take-over", "20001", "--yes").error


def test_a_later_order_of_the_other_makes_the_account_read_only_again(
    operator: RunCommand, read_only: WorkerEnv
) -> None:
    operator("accounts", "take-over", "20001", "--yes")
    reconcile(read_only)  # which protects the position
    assert ("succeeded", "") == buy(read_only)
    place_as_other(read_only)
    reconcile(read_only)

    assert "failed" == buy(read_only)[0]


def test_an_installation_that_was_quiet_for_a_day_locks_out_no_one(read_only: WorkerEnv) -> None:
    read_only.venue.close_position()
    reconcile(read_only)
    read_only.execute("UPDATE account SET other_ordered_market_at = other_ordered_market_at - interval '24 hours'")

    assert ("succeeded", "") == buy(read_only)


@pytest.mark.usefixtures("read_only")
def test_every_view_says_that_the_account_is_read_only(operator: RunCommand) -> None:
    expected = f"another installation of Tickwork ({OTHER}) placed an order on it"

    assert expected in operator("risk").words
    alarms = operator("positions", "--json").json["alarms"]  # those of `status`
    assert any(expected in alarm["message"] for alarm in alarms)
    assert expected in operator("accounts", "show", "20001", "--json").json["account"]["read_only"]


def test_a_flatten_by_hand_passes_after_a_warning(operator: RunCommand, read_only: WorkerEnv) -> None:
    with worker_at(read_only):
        done = operator("flatten", "--yes")

    assert 0 == done.status, done
    assert f"Warning: installation {OTHER} of Tickwork trades" in done.words
    assert 0 == read_only.venue.position(MNQ)


def test_a_part_is_closed_by_hand_after_a_warning(operator: RunCommand, read_only: WorkerEnv) -> None:
    with worker_at(read_only):
        done = operator("positions", "close", "MNQ", "1")

    assert 0 == done.status, done
    assert f"Warning: installation {OTHER} of Tickwork trades" in done.words
    assert 0 == read_only.venue.position(MNQ)


def test_an_order_of_our_own_rows_is_ours_whatever_its_tag_says(worker_env: WorkerEnv) -> None:
    """As after a restored backup, and with one database for two homes."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute(f"UPDATE installation SET id = '{OTHER}'")
    with open_runner(worker_env.settings, process("test/2"), program="test") as runner:
        reconcile(replace(worker_env, runner=runner))

    assert [(None,)] == worker_env.rows("SELECT other_installation FROM account")


@pytest.mark.parametrize("is_same", [True, False])
def test_a_new_database_is_locked_out_by_the_orders_of_another_installation_and_not_by_its_own(
    worker_env: WorkerEnv, database_url: str, *, is_same: bool
) -> None:
    """As after `up --fresh`, or at the first start on a second computer; the orders are hours old."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    ((own,),) = worker_env.rows("SELECT id FROM installation")
    engine = make_engine(database_url, program="test", pool_size=1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE installation SET id = '0badbeef'"))  # as a new database has one of its own
        installations.write_own(connection, own if is_same else OTHER)
    engine.dispose()
    settings = worker_env.settings
    with open_worker_env(database_url, settings.redis_url, worker_env.venue, settings.home / "second") as second:
        assert [(None if is_same else own,)] == second.rows("SELECT other_installation FROM account")


def test_a_start_looks_for_orders_of_the_last_day_and_later_reconciles_do_not(worker_env: WorkerEnv) -> None:
    def list_long_searches() -> list[str]:
        since = (worker_env.venue.clock.now() - timedelta(hours=23)).isoformat()
        asked = [one["startTimestamp"] for one in worker_env.venue.requests("/api/Order/search")]
        return [one for one in asked if one < since]

    assert 1 == len(list_long_searches())  # of the start, before this test
    reconcile(worker_env)
    assert 1 == len(list_long_searches())


def test_a_take_over_that_a_newer_order_has_overtaken_is_refused(read_only: WorkerEnv) -> None:
    with read_only.ledger.engine.begin() as connection:
        (row,) = accounts.list_all(connection)
        now = read_only.venue.clock.now()
        asked_about = OtherInstallation(OTHER, now - timedelta(minutes=10))
        with pytest.raises(RefusedError, match="has just placed another order"):
            take_over(connection, row, PROGRAM, now, asked_about, reason=None, new_id=OTHER)


def test_an_entry_against_the_position_closes_nothing_while_another_installation_trades_it(
    read_only: WorkerEnv,
) -> None:
    sent = count_mutations(read_only)
    job_id = read_only.entry_alert(action="sell", quantity=2)
    read_only.run_due_jobs()

    assert "another installation of Tickwork" in (read_only.job(job_id)[2] or "")
    assert sent == count_mutations(read_only)


def test_a_target_position_against_it_closes_nothing_while_another_installation_trades_it(read_only: WorkerEnv) -> None:
    sent = count_mutations(read_only)
    job_id = read_only.entry_alert(action="sell", market_position="short", market_position_size=1)
    read_only.run_due_jobs()

    assert "another installation of Tickwork" in (read_only.job(job_id)[2] or "")
    assert sent == count_mutations(read_only)
    assert [] == read_only.rows("SELECT 1 FROM flatten_request")
