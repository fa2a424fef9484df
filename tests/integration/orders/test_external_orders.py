"""External orders, fills and positions: those that were placed elsewhere, also in products that we do not know."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.market_data import contracts
from shared.domain.orders.order import Direction, Side
from shared.gateway.wire import VenueFill, VenuePosition
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.orders.reconcile_account import halt_on_unknown_product
from workers.orders.venue_state import apply, known_contracts
from workers.orders.venue_view import VenueView

WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_an_order_placed_elsewhere_is_adopted_as_external(worker_env: WorkerEnv) -> None:
    worker_env.venue.trade()
    worker_env.run(ReconcileAccounts())

    assert [("external", "FILLED")] == worker_env.rows("SELECT origin, state FROM orders WHERE role = 'OTHER'")
    assert [("LONG", 1)] == worker_env.rows("SELECT direction, quantity FROM position")


def test_a_fill_in_an_unknown_product_does_not_stop_the_rest(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    shown = VenueFill(
        9, 8, worker_env.venue.account_id, MNQ, Side.BUY, 1, Decimal(20_000), None, Decimal(0), Decimal(0),
        is_voided=False, filled_market_at=machine_now(),
    )  # fmt: skip
    with worker_env.ledger.transaction() as tx:
        unknown = replace(shown, id=10, contract_id="CON.F.US.NEWS.Z26")
        apply(tx, VenueView(worker_env.venue.account_id, [], [shown, unknown], []))

    assert [(MNQ, "LONG", 2)] == worker_env.rows("SELECT contract_id, direction, quantity FROM position")


def test_a_contract_that_is_stored_as_active_while_its_first_order_is_read_stays_active(worker_env: WorkerEnv) -> None:
    account_id, new = worker_env.venue.account_id, "CON.F.US.MNQ.Z99"

    def read_order() -> set[str]:
        with worker_env.ledger.engine.begin() as connection:
            return known_contracts(connection, account_id, {new})

    with ThreadPoolExecutor(1) as threads, worker_env.ledger.engine.begin() as refreshing:
        contracts.store(refreshing, [replace(contracts.require(refreshing, MNQ), id=new, name="MNQZ9")])
        found = threads.submit(read_order)
        until(
            lambda: found.done() or bool(worker_env.rows(WAITS_FOR_A_LOCK)), 30, "the wait of the order's transaction"
        )
        refreshing.commit()
        assert {new} == found.result(30)

    assert [(True,)] == worker_env.rows("SELECT is_active FROM contract WHERE id = %s", new)


def test_a_position_in_an_unknown_product_halts_the_account_and_is_named(worker_env: WorkerEnv) -> None:
    def check_positions(*contract_ids: str) -> None:
        account_id = worker_env.venue.account_id
        held = [
            VenuePosition(7, account_id, one, Direction.LONG, 1, Decimal(100), machine_now()) for one in contract_ids
        ]
        with worker_env.ledger.transaction() as tx:
            account = accounts.get(tx.connection, account_id)
            assert account is not None
            halt_on_unknown_product(tx.connection, account, VenueView(account_id, [], [], held))

    check_positions(MNQ)
    assert [(None,)] == worker_env.rows("SELECT halt_reason FROM account")
    check_positions(MNQ, "CON.F.US.NEWS.Z26")
    ((reason,),) = worker_env.rows("SELECT halt_reason FROM account")
    assert "it holds CON.F.US.NEWS.Z26, a product that we do not know" in reason
