"""The list of contracts is refreshed every hour; the active month changes between two trading days only."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.db.market_data import bar_coverage, contracts
from shared.domain.market_data.calendar import trading_day_at
from shared.ledger.jobs.market_data import RefreshContracts
from tests.fixtures.order_sessions import other_gateway
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.wiring import open_runner

AVAILABLE = "/api/Contract/available"
MNQ_STATE = f"SELECT is_active, is_tracked FROM contract WHERE id = '{MNQ}'"
NEXT_REFRESH = "SELECT run_at - now() FROM job WHERE name = 'market_data.refresh_contracts' AND state = 'queued'"
A_MINUTE_LATER = "UPDATE contract SET absent_at = absent_at - interval '1 minute'"
NEXT_MONTH = "CON.F.US.MNQ.Z99"

Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def refresh(worker_env: WorkerEnv, change: Change) -> tuple[str, Any, str | None]:
    """Refresh the contracts from an answer that is changed; return the job's state, result and error."""
    job_id = worker_env.enqueue(RefreshContracts())
    with other_gateway(worker_env.venue) as gateway:
        gateway.changes[AVAILABLE] = lambda document: document.update(contracts=change(document["contracts"]))
        settings = replace(worker_env.settings, venue=replace(worker_env.settings.venue, url=gateway.url))
        with open_runner(settings, process("test/2"), program="test2") as other:
            other.run(job_id)
    return worker_env.job(job_id)


def lack_mnq(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["id"] != MNQ]


def offer_next_month(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with another active month of MNQ."""
    return [*rows, next(row for row in rows if row["id"] == MNQ) | {"id": NEXT_MONTH, "name": "MNQZ9"}]


@pytest.mark.parametrize("change", [lambda _: [], lack_mnq], ids=["nothing", "others"])
def test_one_answer_without_a_contract_takes_it_from_no_one_and_the_venue_is_asked_again_soon(
    worker_env: WorkerEnv, change: Change
) -> None:
    for _ in range(2):  # the second is of the same moment
        refresh(worker_env, change)
        assert [(True, True)] == worker_env.rows(MNQ_STATE)
    ((wait,),) = worker_env.rows(NEXT_REFRESH)
    assert wait <= timedelta(minutes=1)

    worker_env.execute(A_MINUTE_LATER)
    state, _, error = refresh(worker_env, lack_mnq)
    assert ("failed", [(False, False)]) == (state, worker_env.rows(MNQ_STATE)), error
    assert 1 == len(worker_env.rows(NEXT_REFRESH)), "it is asked again within the hour, not after it"
    worker_env.run(RefreshContracts())
    assert [(True, True)] == worker_env.rows(MNQ_STATE)
    worker_env.execute("DELETE FROM job")
    worker_env.run(RefreshContracts())
    assert [] == worker_env.rows(NEXT_REFRESH)


def test_a_month_that_one_answer_lacked_stays_the_active_one_of_two(worker_env: WorkerEnv) -> None:
    def list_active() -> list[tuple[Any, ...]]:
        return worker_env.rows("SELECT id FROM contract WHERE is_active AND root = 'MNQ'")

    worker_env.execute("UPDATE contract SET active_day = active_day - 1")  # the next trading day has begun
    refresh(worker_env, lambda rows: lack_mnq(offer_next_month(rows)))
    assert [(MNQ,)] == list_active()
    refresh(worker_env, offer_next_month)
    assert [(MNQ,)] == list_active()


def test_after_days_without_an_answer_a_month_that_is_not_offered_is_not_kept(worker_env: WorkerEnv) -> None:
    worker_env.execute("UPDATE contract SET active_day = active_day - 5")
    refresh(worker_env, lambda rows: lack_mnq(offer_next_month(rows)))

    assert [(NEXT_MONTH,)] == worker_env.rows("SELECT id FROM contract WHERE is_active AND root = 'MNQ'")


def test_a_month_that_was_not_offered_for_long_is_remembered_as_the_active_one(worker_env: WorkerEnv) -> None:
    for _ in range(2):
        refresh(worker_env, lack_mnq)
        worker_env.execute(A_MINUTE_LATER)
    assert [(False, False)] == worker_env.rows(MNQ_STATE)
    worker_env.execute("UPDATE contract SET active_day = active_day - 1")
    refresh(worker_env, offer_next_month)

    assert [(True, True)] == worker_env.rows(MNQ_STATE)
    assert [(False,)] == worker_env.rows(f"SELECT is_active FROM contract WHERE id = '{NEXT_MONTH}'")


def test_the_month_that_was_active_on_the_trading_day_is_known(worker_env: WorkerEnv) -> None:
    worker_env.run(RefreshContracts())
    ((day,),) = worker_env.rows("SELECT active_day FROM contract WHERE id = %s", MNQ)
    with worker_env.ledger.engine.connect() as connection:
        active = contracts.list_last_active(connection, day)
        before = contracts.list_last_active(connection, day - timedelta(days=1))

    assert trading_day_at(datetime.fromisoformat(worker_env.venue.get_status()["market_now"])) == day
    assert (MNQ, {}) == (active["MNQ"], before)


def test_a_root_with_two_active_months_has_none_of_the_day(worker_env: WorkerEnv) -> None:
    worker_env.run(RefreshContracts())
    worker_env.execute(
        "INSERT INTO contract SELECT (jsonb_populate_record(c, jsonb_build_object("
        f"'id', 'CON.F.US.MNQ.M26', 'name', 'MNQM6'))).* FROM contract c WHERE id = '{MNQ}'"
    )
    ((day,),) = worker_env.rows("SELECT active_day FROM contract WHERE id = %s", MNQ)
    with worker_env.ledger.engine.connect() as connection:
        assert "MNQ" not in contracts.list_last_active(connection, day)


def test_a_refresh_does_not_wait_for_a_contract_that_it_leaves_as_it_is(worker_env: WorkerEnv) -> None:
    expired = "CON.F.US.MNQ.U25"
    with worker_env.ledger.engine.begin() as connection:
        contracts.add(connection, replace(contracts.require(connection, MNQ), id=expired, is_active=False))
    with worker_env.ledger.engine.begin() as importing:
        bar_coverage.lock(importing, expired)
        state, _, error = worker_env.run(RefreshContracts())

    assert ("succeeded", None) == (state, error)


def test_a_root_without_an_active_contract_is_named_and_stops_no_other(worker_env: WorkerEnv) -> None:
    worker_env.execute("UPDATE contract SET is_tracked = false; DELETE FROM job")
    job_id = worker_env.enqueue(RefreshContracts())
    settings = replace(worker_env.settings, contracts=("FOO", "MNQ", "HO"))
    with open_runner(settings, process("test/2"), program="test2") as other:
        other.run(job_id)

    state, _, error = worker_env.job(job_id)
    assert ("failed", True) == (
        state,
        str(error).startswith("RefusedError: the venue offers 0 active contracts of FOO"),
    )
    assert [(MNQ,), (True,)] == [
        *worker_env.rows("SELECT id FROM contract WHERE is_tracked AND root = 'MNQ'"),
        *worker_env.rows("SELECT count(*) > 0 FROM job WHERE name = 'market_data.fetch_contract_bars'"),
    ]
