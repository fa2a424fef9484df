"""`tickwork orders`: entries, cancel and modify, with a worker, without one, and with mistakes."""

from decimal import Decimal
from uuid import uuid4

import pytest

from shared.domain.orders.order import OrderState
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.orders_command import MODIFY, PLACE, enter_resting, newest_close, read_state


@pytest.mark.usefixtures("worker")
def test_a_manual_entry_is_filled_and_protected_when_the_command_ends(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    result = operator("orders", "bracket", "MNQ", "buy", "1", "--stop", "400", "--target", "800")

    assert 0 == result.status, result
    assert "BUY 1 MNQ H26 MARKET: FILLED at " in result.out
    assert "stop loss: SELL 1 MNQ H26 STOP at " in result.out
    assert "take profit: SELL 1 MNQ H26 LIMIT at " in result.out
    assert [("manual", "a working stop")] == worker_env.rows(
        "SELECT origin, 'a working stop' FROM orders JOIN fill ON order_id = orders.id WHERE guarded_at IS NOT NULL"
    )
    assert 1 == worker_env.venue.position(MNQ)


def test_an_entry_is_filled_and_protected_with_every_worker_dead(operator: RunCommand, worker_env: WorkerEnv) -> None:
    result = operator("orders", "market", "MNQ", "sell", "1", "--stop", "400")

    assert 0 == result.status, result
    assert "SELL 1 MNQ H26 MARKET: FILLED at " in result.out
    assert -1 == worker_env.venue.position(MNQ)
    assert [] == worker_env.rows("SELECT name FROM job WHERE state IN ('queued', 'running') AND queue = 'critical'")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("kind", "offset", "type_"), [("limit", -100, "LIMIT"), ("stop", 100, "STOP"), ("trail", 100, "TRAILING_STOP")]
)
def test_every_order_type_can_be_entered(
    operator: RunCommand, worker_env: WorkerEnv, kind: str, offset: int, type_: str
) -> None:
    price = newest_close(worker_env) + offset
    result = operator("orders", kind, "MNQ1!", "long", "2", "--price", str(price), "--stop", "40", "--json")

    assert 0 == result.status, result
    order = result.json["order"]
    assert ("WORKING", type_, "BUY", 2) == tuple(order[name] for name in ("state", "type", "side", "quantity"))
    assert str(price.normalize()) in {
        f"{Decimal(order[name]).normalize()}" for name in ("limit_price", "stop_price", "trail_price") if order[name]
    }


@pytest.mark.usefixtures("worker")
def test_the_risk_in_dollars_sets_the_quantity(operator: RunCommand, worker_env: WorkerEnv) -> None:
    price = newest_close(worker_env) - 100
    arguments = ("--price", str(price), "--stop", "40", "--breakeven", "20", "--trail", "30", "--json")
    result = operator("orders", "limit", "MNQ", "buy", "--risk", "50", *arguments)

    assert 2 == result.json["order"]["quantity"]  # 40 ticks of 0.50 and 2.72 of costs, each
    assert (20, 30) == (result.json["order"]["breakeven_ticks"], result.json["order"]["trail_ticks"])


@pytest.mark.usefixtures("worker")
def test_a_denied_entry_exits_with_the_reason_and_status_1(operator: RunCommand, worker_env: WorkerEnv) -> None:
    result = operator("orders", "market", "MNQ", "buy", "9", "--stop", "40")

    assert (1, "") == (result.status, result.out)
    assert result.error.startswith("tickwork: quantity 9 is not between 1 and 5 an order: ")
    assert "`tickwork accounts rules ACCOUNT max_quantity=N` changes that, and the setting max_quantity" in result.error
    result = operator("orders", "market", "MNQ", "buy", "1", "--json")
    assert (1, "") == (result.status, result.error)
    assert "the entry has no stop" in result.json["error"]
    assert [] == worker_env.venue.requests(PLACE)


@pytest.mark.usefixtures("worker")
def test_a_rejected_order_reports_the_venues_message(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="reject", error_code=2, message="Price is outside allowed range.")
    result = operator("orders", "market", "MNQ", "buy", "1", "--stop", "40")

    assert (1, "") == (result.status, result.out)
    assert "Price is outside allowed range." in result.error


@pytest.mark.usefixtures("worker")
def test_a_dry_run_prints_the_order_and_sends_nothing(operator: RunCommand, worker_env: WorkerEnv) -> None:
    fine = operator("orders", "market", "MNQ", "buy", "2", "--stop", "40", "--dry-run", "--json")
    refused = operator("orders", "market", "MNQ", "buy", "9", "--stop", "40", "--dry-run")

    assert 0 == fine.status, fine
    sent = fine.json["would_send"]
    assert (MNQ, "BUY", 2, 40) == tuple(sent[name] for name in ("contract_id", "side", "quantity", "stop_loss_ticks"))
    assert (1, "") == (refused.status, refused.error)
    assert "nothing was sent" in refused.out
    assert "quantity 9 is not between 1 and 5" in refused.words
    assert ([], []) == (worker_env.venue.requests(PLACE), worker_env.rows("SELECT id FROM orders"))


@pytest.mark.usefixtures("worker")
def test_a_risk_too_small_for_one_contract_names_the_risk_and_the_loss(operator: RunCommand) -> None:
    words = operator("orders", "market", "MNQ", "buy", "--risk", "20", "--stop", "40", "--dry-run").words

    assert "risk: the risk is too small for one contract, which loses 22.72 at this stop, costs included" in words
    assert "max_quantity" not in words


MISTAKES = [
    (("market", "MNQ", "buy"), "missing QUANTITY: expected contracts, or --risk DOLLARS"),
    (("market", "MNQ", "buy", "1", "--risk", "50"), "not both"),
    (("market", "MNQ", "up", "1"), "invalid side 'up': expected buy, long, sell or short"),
    (("market", "XYZ", "buy", "1"), "unknown symbol 'XYZ': expected a root such as MNQ"),
    (("market", "CON.F.US.MNQ.Z30", "buy", "1"), "is not the active contract of MNQ: expected MNQ H26"),
    (("market", "MNQ", "buy", "0"), "invalid QUANTITY '0': expected a whole number, at least 1"),
    (("market", "MNQ", "buy", "1", "--stop", "4", "--stop-price", "5"), "--stop 4 and --stop-price 5 set two levels"),
    (("limit", "MNQ", "buy", "1"), "missing --price: expected a number above 0, such as 21500.25"),
    (("limit", "MNQ", "buy", "1", "--price", "-3"), "invalid price '-3': expected a number above 0"),
    (("limit", "MNQ", "buy", "1", "--price", "100.1"), "a multiple of 0.25, the tick of MNQ H26, such as 100.00"),
    (("bracket", "MNQ", "buy", "1", "--stop", "4"), "a bracket needs a target: add --target TICKS"),
    (("bracket", "MNQ", "buy", "1", "--target", "4"), "a bracket needs a stop: add --stop TICKS"),
    (("market", "MNQ", "buy", "1", "--account", "7"), "account 7 is unknown; known: 20001"),
    (("show", "12345678"), "no order id begins or ends with 12345678: `tickwork orders` lists"),
    (("cancel", "1234"), "invalid order id '1234': expected an id, or at least 8"),
    (("cancel",), "choose the orders: `orders cancel ID...`, or `orders cancel --all"),
    (("cancel", "12345678", "--all"), "choose the orders"),
    (("cancel", str(uuid4())), "no order id begins or ends with"),
    (("modify", "12345678"), "nothing to change: give --quantity N, --limit PRICE or --stop PRICE"),
]


def test_a_mistake_is_reported_with_a_hint(operator: RunCommand, worker_env: WorkerEnv) -> None:
    for arguments, words in MISTAKES:
        result = operator("orders", *arguments)

        assert result.status in {1, 2}, arguments
        assert "" == result.out
        assert words in result.words
    assert [] == worker_env.rows("SELECT id FROM job WHERE name = 'orders.enter_manually'")


def test_with_two_accounts_there_is_no_default(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (30001, 'PRAC-OTHER', 50000, true)")
    result = operator("orders", "market", "MNQ", "buy", "1")

    assert 1 == result.status
    assert "choose an account with --account ID; tradable: 20001 (" in result.error


@pytest.mark.usefixtures("worker")
def test_a_short_id_shows_modifies_and_cancels_the_order(operator: RunCommand, worker_env: WorkerEnv) -> None:
    order = enter_resting(operator, worker_env, quantity=2)
    short = order["id"][-8:]
    assert short in operator("orders").out
    assert order["account_name"] in operator("orders", "-o", "wide").out
    new = newest_close(worker_env) - 120

    assert f"modified {order['id']}" in operator("orders", "modify", short, "--limit", str(new), "--quantity", "1").out
    shown = operator("orders", "show", short, "--json").json
    assert (new, 1) == (Decimal(shown["order"]["limit_price"]), shown["order"]["quantity"])
    assert [("MODIFY", "DONE")] == [(one["kind"], one["state"]) for one in shown["changes"]]
    assert "Change requests" in operator("orders", "show", order["id"]).out
    result = operator("orders", "cancel", order["id"][:18], "--json")
    assert (0, {"cancelled": [order["id"]], "refused": []}) == (result.status, result.json)
    assert OrderState.CANCELLED == read_state(worker_env, order["id"])
    result = operator("orders", "cancel", short)
    assert (1, "") == (result.status, result.out)
    assert "is CANCELLED: it can no longer be cancelled" in result.error


def test_a_cancel_works_with_every_worker_dead_and_the_broker_away(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker_at(worker_env):
        order = enter_resting(operator, worker_env)
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    result = operator("orders", "cancel", order["id"], "--json")

    assert (0, "", [order["id"]]) == (result.status, result.error, result.json["cancelled"])


@pytest.mark.usefixtures("worker")
def test_cancel_all_keeps_the_stop_of_an_open_position(operator: RunCommand, worker_env: WorkerEnv) -> None:
    operator("orders", "market", "MNQ", "buy", "1", "--stop", "400")
    orders = [enter_resting(operator, worker_env)["id"] for _ in range(2)]
    preview = operator("orders", "cancel", "--all", "--dry-run", "--json")
    assert set(orders) == {row["id"] for row in preview.json["would_send"]}
    result = operator("orders", "cancel", "--all", "--contract", "MNQ", "--yes", "--json")

    assert (0, set(orders)) == (result.status, set(result.json["cancelled"]))
    assert [("WORKING",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'STOP_LOSS' AND state = 'WORKING'")
    assert "Nothing to do." in operator("orders", "cancel", "--all").out


@pytest.mark.usefixtures("worker")
def test_an_invalid_change_is_refused_before_it_is_requested(operator: RunCommand, worker_env: WorkerEnv) -> None:
    order = enter_resting(operator, worker_env)["id"]

    for arguments, words in {
        ("--stop", "100"): "is a LIMIT order: it has no stop_price to set to 100",
        ("--limit", "100.1"): "invalid --limit '100.1': expected a multiple of",
        ("--quantity", "2"): "the pre-trade checks allowed 1 for order",
    }.items():
        result = operator("orders", "modify", order, *arguments)
        assert (1, "") == (result.status, result.out)
        assert words in result.error
    dry = operator("orders", "modify", order, "--limit", "100", "--dry-run")
    assert "nothing was sent" in dry.out
    assert "Findings of account 20001: The risk monitor has nothing to act on." in dry.words
    assert [] == worker_env.venue.requests(MODIFY)
