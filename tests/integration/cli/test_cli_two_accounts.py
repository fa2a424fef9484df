"""Commands that cover every account, at a venue with two accounts."""

import csv
import io

import pytest

from shared.ledger.jobs.orders import ReconcileAccounts
from shared.ledger.jobs.trades import BookRoundTrips
from tests.fixtures.held_locks import running_statement
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def test_flatten_covers_every_account_unless_one_is_named(operator: RunCommand, worker_env: WorkerEnv) -> None:
    first, second = [row[0] for row in worker_env.rows("SELECT id FROM account ORDER BY id")]
    for account_id in (first, second):
        worker_env.venue.trade(accountId=account_id)
    assert "choose an account with --account ID" in operator("positions", "close", "MNQ").error
    with worker_at(worker_env):
        one = operator("flatten", "--yes", "--account", str(second), "--json").json["flattened"]
    assert [(second, True)] == [(row["account_id"], row["is_flat"]) for row in one]
    assert 1 == worker_env.venue.position(MNQ)
    with worker_at(worker_env):
        result = operator("flatten", "--yes", "--json")

    assert 0 == result.status, result
    assert [(first, True), (second, True)] == [(row["account_id"], row["is_flat"]) for row in result.json["flattened"]]
    assert 0 == worker_env.venue.position(MNQ)
    assert [(3,)] == worker_env.rows("SELECT count(*) FROM flatten_request WHERE flat_at IS NOT NULL")


def test_halt_and_resume_cover_every_account_unless_one_is_named(operator: RunCommand, worker_env: WorkerEnv) -> None:
    first, second = [row[0] for row in worker_env.rows("SELECT id FROM account ORDER BY id")]
    assert [second] == [one["id"] for one in operator("halt", "x", "--account", str(second), "--json").json["halted"]]
    every = operator("halt", "y", "--json").json
    assert ([first], ["x"]) == (
        [one["id"] for one in every["halted"]],
        [one["reason"] for one in every["already_halted"]],
    )
    resumed = operator("resume", "z", "--json").json["resumed"]

    assert [first, second] == [one["id"] for one in resumed]


def test_complaint_10_one_view_shows_every_account_side_by_side(operator: RunCommand, worker_env: WorkerEnv) -> None:
    both = [row[0] for row in worker_env.rows("SELECT id FROM account ORDER BY id")]
    with worker_at(worker_env):
        for account_id in both:
            asked = operator("orders", "market", "MNQ", "buy", "1", "--stop", "40", "--account", str(account_id))
            assert 0 == asked.status, asked

    assert both == [row["id"] for row in operator("accounts", "--json").json["accounts"]]
    assert both == [row["id"] for row in operator("risk", "--json").json["accounts"]]
    assert both == [row["account_id"] for row in operator("positions", "--json").json["positions"]]
    line = operator("orders", "--json").json
    for kind in ("orders", "positions", "fills"):
        assert set(both) == {row["account_id"] for row in line[kind]}, kind
    ((name,),) = worker_env.rows(f"SELECT short_account(name) FROM account WHERE id = {both[1]}")
    of_one = operator("orders", "--account", name, "--json").json
    for kind in ("orders", "positions", "fills"):
        assert [row for row in line[kind] if row["account_id"] == both[1]] == of_one[kind], kind
    with worker_at(worker_env):
        assert 0 == operator("flatten", "--yes").status
    for request in (ReconcileAccounts(), BookRoundTrips()):  # without a feed and a beat
        worker_env.run(request)
    assert both == sorted(row["account_id"] for row in operator("trades", "--json").json["round_trips"])
    names = {name for (name,) in worker_env.rows("SELECT name FROM account")}
    assert names == {row["account_name"] for row in operator("trades", "--json").json["round_trips"]}
    rows = csv.DictReader(io.StringIO(operator("trades", "-o", "csv").out))
    assert names == {row["account_name"] for row in rows}
    groups = operator("trades", "stats", "--by", "account", "--json").json["groups"]
    assert dict.fromkeys(names, 1) == {group["name"]: group["count"] for group in groups}
    short = {name for (name,) in worker_env.rows("SELECT short_account(name) FROM account")}
    shown = [operator(*command).words for command in (("trades",), ("trades", "stats", "--by", "account"))]
    shown.append(operator("orders").words.partition("Fills")[2])
    assert [short] * 3 == [{name for name in short if name in words} for words in shown]


def test_a_locked_account_keeps_no_other_from_being_flattened_or_halted(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    first, second = [row[0] for row in worker_env.rows("SELECT id FROM account ORDER BY id")]
    worker_env.venue.trade(accountId=second)
    lock = f"SELECT 1 FROM account WHERE id = {first} FOR UPDATE"
    with running_statement(worker_env.settings.require_database(), lock) as pid, worker_at(worker_env):
        flattened = operator("flatten", "--yes")
        halted = operator("halt", "enough")

    assert [(second, True)] == worker_env.rows("SELECT account_id, flat_at IS NOT NULL FROM flatten_request")
    assert [(second,)] == worker_env.rows("SELECT id FROM account WHERE halt_reason = 'enough'")
    for result, done in ((flattened, "flattened"), (halted, "halted")):
        assert 1 == result.status
        assert f"every account was {done} but " in result.error
        assert f"({first}). The lock is held by session {pid} " in result.error
