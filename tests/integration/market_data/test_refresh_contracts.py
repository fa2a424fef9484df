"""The list of contracts is refreshed every hour; the active month changes between two trading days only."""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.db.market_data import contracts
from shared.domain.market_data.calendar import trading_day_at
from shared.ledger.jobs.market_data import RefreshContracts
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.wiring import open_runner


def test_the_month_that_was_active_on_the_trading_day_is_known(worker_env: WorkerEnv) -> None:
    worker_env.run(RefreshContracts())
    ((day,),) = worker_env.rows("SELECT active_day FROM contract WHERE id = %s", MNQ)
    with worker_env.ledger.engine.connect() as connection:
        active = contracts.list_active_on(connection, day)
        before = contracts.list_active_on(connection, day - timedelta(days=1))

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
        assert "MNQ" not in contracts.list_active_on(connection, day)


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
