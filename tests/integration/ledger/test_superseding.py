"""Superseding: the job of a slot cancels what is still queued of the entry's earlier slots."""

from uuid import UUID

import psycopg

from shared.db.engine import driver
from shared.ledger import transitions
from shared.ledger.jobs.market_data import FetchContractBars
from shared.ledger.jobs.orders import GuardPosition
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.worker_processes import process

ME = process("test/1")


def supersede(ledger_env: LedgerEnv, by: UUID) -> int:
    with ledger_env.ledger.engine.begin() as connection:
        return transitions.supersede_slots(driver(connection), "drill", by)


def state(ledger_env: LedgerEnv, job_id: UUID) -> tuple[str, str | None]:
    row = ledger_env.row(job_id)
    return row["state"], row["error"]


def test_what_is_queued_of_earlier_slots_ends_as_superseded_and_nothing_else(ledger_env: LedgerEnv) -> None:
    first, running, newest = (ledger_env.enqueue(DoNothing(), schedule="drill") for _ in range(3))
    other = ledger_env.enqueue(DoNothing(), schedule="another")
    plain = ledger_env.enqueue(DoNothing())
    ledger_env.execute(f"UPDATE job SET error = 'no answer' WHERE id = '{first}'")
    claimed = ledger_env.ledger.claim(running, ME)

    assert claimed is not None
    assert "drill" == claimed.schedule
    assert 1 == supersede(ledger_env, newest)
    assert ("cancelled", f"superseded by job {newest}; before that: no answer") == state(ledger_env, first)
    assert ["running", "queued", "queued", "queued"] == [
        state(ledger_env, job_id)[0] for job_id in (running, newest, other, plain)
    ]


def test_only_the_jobs_of_a_slot_that_are_repeated_belong_to_its_entry(ledger_env: LedgerEnv) -> None:
    claimed = ledger_env.ledger.claim(ledger_env.enqueue(DoNothing(), schedule="drill"), ME)
    with ledger_env.ledger.transaction(parent=claimed) as tx:
        closed_until = ledger_env.rows("SELECT now()")[0]["now"]
        bars = tx.enqueue(FetchContractBars(contract_id="CON.F.US.MNQ.H26", closed_until=closed_until)).job_id
        guard = tx.enqueue(GuardPosition(account_id=1, contract_id="CON.F.US.MNQ.H26")).job_id

    assert ("drill", None) == (ledger_env.row(bars)["schedule"], ledger_env.row(guard)["schedule"])
    assert 1 == supersede(ledger_env, ledger_env.enqueue(DoNothing(), schedule="drill"))
    assert "queued" == state(ledger_env, guard)[0]


def test_a_job_that_another_session_locks_is_left_and_holds_up_nothing(ledger_env: LedgerEnv) -> None:
    locked, newest = (ledger_env.enqueue(DoNothing(), schedule="drill") for _ in range(2))
    with psycopg.connect(ledger_env.database_url) as other:
        other.execute("SELECT 1 FROM job WHERE id = %s FOR UPDATE", [locked])

        assert 0 == supersede(ledger_env, newest)
    assert 1 == supersede(ledger_env, newest)


def test_superseding_reads_only_the_queued_jobs_of_the_entry(ledger_env: LedgerEnv) -> None:
    newest = ledger_env.enqueue(DoNothing(), schedule="drill")
    ledger_env.execute(
        "INSERT INTO job (id, name, queue, arguments, max_attempts, sequence_id, correlation_id, state) "
        "SELECT id, 'upkeep.do_nothing', 'normal', '{}', 3, id, id, state "
        "FROM (SELECT gen_random_uuid() AS id, unnest('{queued,succeeded}'::text[]) AS state "
        "      FROM generate_series(1, 3000)) AS new"
    )
    ledger_env.execute("ANALYZE job")
    with ledger_env.ledger.engine.begin() as connection:
        raw = driver(connection)
        values = {"schedule": "drill", "by": newest}
        plan = "\n".join(line for (line,) in raw.execute(f"EXPLAIN {transitions._SUPERSEDE_SLOTS}", values))  # noqa: SLF001

    assert "ix_job_schedule" in plan, plan
    assert "Seq Scan on job" not in plan, plan
