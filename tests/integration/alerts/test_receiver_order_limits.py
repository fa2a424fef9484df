"""The answer to an entry above the limit of one order: a 202, as it may close something, with a warning."""

from decimal import Decimal

import pytest

from shared.db.accounts import accounts
from shared.db.accounts.audit import Actor
from shared.db.alerts import hooks
from shared.db.engine import make_engine
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ACCOUNT, ENTRY, ReceiverProcess
from tests.fixtures.wire_tap import WireTap

pytest_plugins = ("tests.fixtures.receiver",)

NINE = ENTRY | {"quantity": 9}
WARNING = (
    f"quantity 9 is above the limit of 5 contracts an order on account {ACCOUNT} (max_quantity): what it closes is "
    "closed, and if it would then open more than 5, that is denied"
)


def test_an_entry_above_the_limit_is_accepted_with_a_warning(receiver: ReceiverProcess) -> None:
    answer = receiver.post(NINE)

    assert (202, WARNING) == (answer.status_code, answer.json()["warning"])
    assert receiver.post(NINE | {"id": "once"}).json()["warning"] == WARNING
    assert receiver.post(NINE | {"id": "once"}).json()["warning"] == WARNING, "also of a resend"


@pytest.mark.parametrize(
    "body",
    [
        ENTRY,
        ENTRY | {"quantity": 5},
        {"action": "close", "symbol": "MNQ"},
        {"action": "close", "symbol": "MNQ", "quantity": 9},
    ],
)
def test_an_exit_and_an_entry_within_the_limit_have_no_warning(
    receiver: ReceiverProcess, body: dict[str, object]
) -> None:
    answer = receiver.post(body)

    assert (202, {"job_id", "status_url"}) == (answer.status_code, set(answer.json()))


def test_the_limit_is_that_of_the_account_as_soon_as_it_is_changed(receiver: ReceiverProcess) -> None:
    engine = make_engine(receiver.database_url, program="test", pool_size=1)
    with engine.begin() as connection:
        row = accounts.lock(connection, ACCOUNT)
        assert row is not None
        accounts.change_by_hand(connection, row, Actor("me", "test"), "rules", rule_changes={"max_quantity": "9"})
    engine.dispose()

    until(lambda: "warning" not in receiver.post(NINE).json(), what="the account's limit")
    assert "the limit of 9 contracts" in receiver.post(NINE | {"quantity": 10}).json()["warning"]


def test_a_follower_is_warned_of_by_its_copy(receiver: ReceiverProcess) -> None:
    receiver.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (4712, 'other', 50000, true)")
    ((hook_id,),) = receiver.rows("SELECT id FROM hook")
    engine = make_engine(receiver.database_url, program="test", pool_size=1)
    with engine.begin() as connection:
        hooks.set_followers(connection, hook_id, {4712: Decimal(3)})
    engine.dispose()
    receiver.wait_for_cache()

    warning = receiver.post(ENTRY | {"quantity": 2}).json()["warning"]
    assert warning.startswith("quantity 6 is above the limit of 5 contracts an order on account 4712 (max_quantity)")


def test_the_warning_needs_no_database(receiver: ReceiverProcess, to_postgres: WireTap) -> None:
    receiver.post(ENTRY)
    to_postgres.refuse()

    answer = receiver.post(NINE).json()
    assert (True, WARNING) == (answer["spooled"], answer["warning"])
