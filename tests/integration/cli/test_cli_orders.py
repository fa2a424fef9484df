"""`tickwork orders` and `positions` as a person uses them: with a worker, with none, and with mistakes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shared.domain.orders.order import OrderState
from tests.fixtures.operator import Type, worker_at
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLACE, MODIFY, CLOSE = "/api/Order/place", "/api/Order/modify", "/api/Position/closeContract"


@pytest.fixture
def worker(worker_env: WorkerEnv) -> Iterator[None]:
    """A worker that does what is asked."""
    with worker_at(worker_env):
        yield


def enter_resting(operator: Type, worker_env: WorkerEnv, *more: str, quantity: int = 1) -> dict[str, Any]:
    """A buy limit far below the market; return it as the command told of it."""
    command = ("orders", "limit", "MNQ", "buy", str(quantity))
    price = newest_close(worker_env) - 100
    result = operator(*command, "--price", str(price), "--stop", "40", "--json", *more)
    assert 0 == result.status, result
    found: dict[str, Any] = result.json["order"]
    return found


def newest_close(worker_env: WorkerEnv) -> Decimal:
    price: Decimal = worker_env.rows("SELECT close_ticks * 0.25 FROM bar_minute ORDER BY start DESC LIMIT 1")[0][0]
    return price


def read_state(worker_env: WorkerEnv, order_id: str) -> str:
    return str(worker_env.rows("SELECT state FROM orders WHERE id = %s", order_id)[0][0])


# --- entries ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("worker")
def test_a_manual_entry_is_filled_and_protected_when_the_command_ends(operator: Type, worker_env: WorkerEnv) -> None:
    result = operator("orders", "bracket", "MNQ", "buy", "1", "--stop", "400", "--target", "800")

    assert 0 == result.status, result
    assert f"BUY 1 {MNQ} MARKET: FILLED at " in result.out
    assert f"stop loss: SELL 1 {MNQ} STOP at " in result.out
    assert f"take profit: SELL 1 {MNQ} LIMIT at " in result.out
    assert [("manual", "a working stop")] == worker_env.rows(
        "SELECT origin, 'a working stop' FROM orders JOIN fill ON order_id = orders.id WHERE guarded_at IS NOT NULL"
    )
    assert 1 == worker_env.venue.position(MNQ)


def test_an_entry_is_filled_and_protected_with_every_worker_dead(operator: Type, worker_env: WorkerEnv) -> None:
    result = operator("orders", "market", "MNQ", "sell", "1", "--stop", "400")

    assert 0 == result.status, result
    assert f"SELL 1 {MNQ} MARKET: FILLED at " in result.out
    assert -1 == worker_env.venue.position(MNQ)
    assert [] == worker_env.rows("SELECT name FROM job WHERE state IN ('queued', 'running') AND queue = 'critical'")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("kind", "offset", "type_"), [("limit", -100, "LIMIT"), ("stop", 100, "STOP"), ("trail", 100, "TRAILING_STOP")]
)
def test_every_order_type_can_be_entered(
    operator: Type, worker_env: WorkerEnv, kind: str, offset: int, type_: str
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
def test_the_risk_in_dollars_sets_the_quantity(operator: Type, worker_env: WorkerEnv) -> None:
    price = newest_close(worker_env) - 100
    arguments = ("--price", str(price), "--stop", "40", "--breakeven", "20", "--trail", "30", "--json")
    result = operator("orders", "limit", "MNQ", "buy", "--risk", "50", *arguments)

    assert 2 == result.json["order"]["quantity"]  # 40 ticks of 0.50 and 2.72 of costs, each
    assert (20, 30) == (result.json["order"]["breakeven_ticks"], result.json["order"]["trail_ticks"])


@pytest.mark.usefixtures("worker")
def test_a_denied_entry_exits_with_the_reason_and_status_1(operator: Type, worker_env: WorkerEnv) -> None:
    result = operator("orders", "market", "MNQ", "buy", "9", "--stop", "40")

    assert (1, "") == (result.status, result.out)
    assert result.error.startswith("tickwork: quantity 9 is not between 1 and 5 an order")
    result = operator("orders", "market", "MNQ", "buy", "1", "--json")
    assert (1, "") == (result.status, result.error)
    assert "the entry has no stop" in result.json["error"]
    assert [] == worker_env.venue.requests(PLACE)


@pytest.mark.usefixtures("worker")
def test_a_rejected_order_reports_the_venues_message(operator: Type, worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="reject", error_code=2, message="Price is outside allowed range.")
    result = operator("orders", "market", "MNQ", "buy", "1", "--stop", "40")

    assert (1, "") == (result.status, result.out)
    assert "Price is outside allowed range." in result.error


@pytest.mark.usefixtures("worker")
def test_a_dry_run_prints_the_order_and_sends_nothing(operator: Type, worker_env: WorkerEnv) -> None:
    fine = operator("orders", "market", "MNQ", "buy", "2", "--stop", "40", "--dry-run", "--json")
    refused = operator("orders", "market", "MNQ", "buy", "9", "--stop", "40", "--dry-run")

    assert 0 == fine.status, fine
    sent = fine.json["would_send"]
    assert (MNQ, "BUY", 2, 40) == tuple(sent[name] for name in ("contract_id", "side", "quantity", "stop_loss_ticks"))
    assert (1, "") == (refused.status, refused.error)
    assert "Nothing was sent" in refused.out
    assert "quantity 9 is not between 1 and 5" in refused.words
    assert ([], []) == (worker_env.venue.requests(PLACE), worker_env.rows("SELECT id FROM orders"))


MISTAKES = [
    (("market", "MNQ", "buy"), "say how much: QUANTITY contracts, or --risk DOLLARS"),
    (("market", "MNQ", "buy", "1", "--risk", "50"), "and not both"),
    (("market", "MNQ", "up", "1"), "'up' is no side: give buy, long, sell, short"),
    (("market", "XYZ", "buy", "1"), "'XYZ' is no symbol we know: use a root such as MNQ"),
    (("market", "CON.F.US.MNQ.Z30", "buy", "1"), f"is not the active contract of MNQ: that is {MNQ}"),
    (("market", "MNQ", "buy", "0"), "0 is not in the range x>=1"),
    (("market", "MNQ", "buy", "1", "--stop", "4", "--stop-price", "5"), "--stop 4 and --stop-price 5 name two"),
    (("limit", "MNQ", "buy", "1"), "Missing option '--price'"),
    (("limit", "MNQ", "buy", "1", "--price", "-3"), "'-3' cannot be used: give a number above 0"),
    (("limit", "MNQ", "buy", "1", "--price", "100.1"), "100.1 is not a multiple of"),
    (("bracket", "MNQ", "buy", "1", "--stop", "4"), "a bracket needs a target: add --target TICKS"),
    (("bracket", "MNQ", "buy", "1", "--target", "4"), "a bracket needs a stop: add --stop TICKS"),
    (("market", "MNQ", "buy", "1", "--account", "7"), "account 7 is unknown: those that may trade are 20001"),
    (("show", "12345678"), "no order has an id that begins or ends with 12345678: `tickwork orders` lists"),
    (("cancel", "1234"), "'1234' is no order's id: give it, or 8 or more"),
    (("cancel",), "say which: `orders cancel ID...`, or `orders cancel --all"),
    (("cancel", "12345678", "--all"), "say which"),
    (("cancel", str(uuid4())), "no order has an id"),
    (("modify", "12345678"), "say what is to change: --quantity N, --limit PRICE or --stop PRICE"),
]


def test_a_mistake_is_reported_with_a_hint(operator: Type, worker_env: WorkerEnv) -> None:
    for arguments, words in MISTAKES:
        result = operator("orders", *arguments)

        assert result.status in {1, 2}, arguments
        assert "" == result.out
        assert words in result.words
    assert [] == worker_env.rows("SELECT id FROM job WHERE name = 'orders.enter_manually'")


def test_with_two_accounts_there_is_no_default(operator: Type, worker_env: WorkerEnv) -> None:
    worker_env.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (30001, 'PRAC-OTHER', 50000, true)")
    result = operator("orders", "market", "MNQ", "buy", "1")

    assert 1 == result.status
    assert "say which account with --account ID, of those that may trade: 20001 (" in result.error


# --- list, show, cancel, modify -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("worker")
def test_a_short_id_shows_modifies_and_cancels_the_order(operator: Type, worker_env: WorkerEnv) -> None:
    order = enter_resting(operator, worker_env, quantity=2)
    short = order["id"][-8:]
    assert short in operator("orders").out
    assert order["account_name"] in operator("orders").out
    new = newest_close(worker_env) - 120

    assert f"modified {order['id']}" in operator("orders", "modify", short, "--limit", str(new), "--quantity", "1").out
    shown = operator("orders", "show", short, "--json").json
    assert (new, 1) == (Decimal(shown["order"]["limit_price"]), shown["order"]["quantity"])
    assert [("MODIFY", "DONE")] == [(one["kind"], one["state"]) for one in shown["changes"]]
    assert "Changes asked of it" in operator("orders", "show", order["id"]).out
    result = operator("orders", "cancel", order["id"][:18], "--json")
    assert (0, {"cancelled": [order["id"]], "refused": []}) == (result.status, result.json)
    assert OrderState.CANCELLED == read_state(worker_env, order["id"])
    result = operator("orders", "cancel", short)
    assert (1, "") == (result.status, result.out)
    assert "is CANCELLED: nothing is left to cancel" in result.error


def test_a_cancel_works_with_every_worker_dead_and_the_broker_away(
    operator: Type, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker_at(worker_env):
        order = enter_resting(operator, worker_env)
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    result = operator("orders", "cancel", order["id"], "--json")

    assert (0, "", [order["id"]]) == (result.status, result.error, result.json["cancelled"])


@pytest.mark.usefixtures("worker")
def test_cancel_all_keeps_the_stop_of_an_open_position(operator: Type, worker_env: WorkerEnv) -> None:
    operator("orders", "market", "MNQ", "buy", "1", "--stop", "400")
    orders = [enter_resting(operator, worker_env)["id"] for _ in range(2)]
    preview = operator("orders", "cancel", "--all", "--dry-run", "--json")
    assert set(orders) == {row["id"] for row in preview.json["would_send"]}
    result = operator("orders", "cancel", "--all", "--contract", "MNQ", "--json")

    assert (0, set(orders)) == (result.status, set(result.json["cancelled"]))
    assert [("WORKING",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'STOP_LOSS' AND state = 'WORKING'")
    assert "There is none." in operator("orders", "cancel", "--all").out


@pytest.mark.usefixtures("worker")
def test_an_invalid_change_is_refused_before_it_is_requested(operator: Type, worker_env: WorkerEnv) -> None:
    order = enter_resting(operator, worker_env)["id"]

    for arguments, words in {
        ("--stop", "100"): "is a LIMIT, which has no stop_price to set to 100",
        ("--limit", "100.1"): "--limit 100.1 is not a multiple of",
        ("--quantity", "2"): "was judged with 1 contracts: place another for the rest",
    }.items():
        result = operator("orders", "modify", order, *arguments)
        assert (1, "") == (result.status, result.out)
        assert words in result.error
    dry = operator("orders", "modify", order, "--limit", "100", "--dry-run")
    assert "Nothing was sent" in dry.out
    assert "What the rules say of account 20001 now: The rules say nothing against it." in dry.words
    assert [] == worker_env.venue.requests(MODIFY)


# --- positions ----------------------------------------------------------------------------------------------------


@pytest.fixture
def long(operator: Type, worker_env: WorkerEnv, worker: None) -> Decimal:  # noqa: ARG001  # it does the work
    """A long position of two; return its average price."""
    assert 0 == operator("orders", "market", "MNQ", "buy", "2", "--stop", "400").status
    average: Decimal = worker_env.rows("SELECT average_price FROM position")[0][0]
    return average


@pytest.mark.usefixtures("long")
def test_positions_show_open_profit_stop_and_protection(operator: Type) -> None:
    (row,) = operator("positions", "--json").json["positions"]

    assert (MNQ, "LONG", 2, "the bracket's stop") == tuple(
        row[name] for name in ("contract", "direction", "quantity", "guarded_by")
    )
    gain = (Decimal(row["price"]) - Decimal(row["average"])) * 2 * 2
    assert gain == Decimal(row["open_profit"])
    assert row["stop"].startswith("2 at ")
    assert "LONG" in operator("positions").out


@pytest.mark.usefixtures("long")
def test_a_part_and_then_the_rest_of_a_position_is_closed(operator: Type, worker_env: WorkerEnv) -> None:
    dry = operator("positions", "close", "MNQ", "1", "--dry-run"), operator("positions", "close", "MNQ", "--dry-run")
    assert [0, 0] == [result.status for result in dry]
    assert f"It would SELL 1 {MNQ}" in dry[0].out
    assert (2, []) == (worker_env.venue.position(MNQ), worker_env.venue.requests(CLOSE))
    part = operator("positions", "close", "MNQ", "1")
    assert (0, f"Closed 1 of {MNQ} (SELL); held now: 1.\n") == (part.status, part.out)
    result = operator("positions", "close", "MNQ")

    assert 0 == result.status, result
    assert "flat: no position, no working order" in result.out
    assert 0 == worker_env.venue.position(MNQ)
    result = operator("positions", "close", "MNQ", "1")
    assert (1, "") == (result.status, result.out)
    assert "holds 0 of" in result.error


@pytest.mark.usefixtures("long")
def test_the_stop_moves_to_breakeven_unless_the_market_is_through_it(operator: Type, worker_env: WorkerEnv) -> None:
    through, fine = newest_close(worker_env) + 50, newest_close(worker_env) - 50
    worker_env.execute(f"UPDATE position SET average_price = {through}")
    result = operator("positions", "breakeven", "MNQ")
    assert (1, "") == (result.status, result.out)
    assert f"{MNQ} could be closed at 2" in result.error  # a new bar may have moved the quote
    assert f"and the entry's average is {through}" in result.error
    assert [] == worker_env.venue.requests(MODIFY)
    worker_env.execute(f"UPDATE position SET average_price = {fine + Decimal('0.1')}")
    assert "Nothing was sent" in operator("positions", "breakeven", "MNQ", "--dry-run").out
    assert [] == worker_env.venue.requests(MODIFY)
    result = operator("positions", "breakeven", "MNQ")

    assert 0 == result.status, result
    assert [(fine,)] == worker_env.rows("SELECT stop_price FROM orders WHERE role = 'STOP_LOSS'")
    assert 1 == len(worker_env.venue.requests(MODIFY))
    assert "stands at" in operator("positions", "breakeven", "MNQ").out  # there already: nothing is asked again
    assert 1 == len(worker_env.venue.requests(MODIFY))


def test_a_trailing_distance_is_stored_on_the_entry_and_reported(
    operator: Type, worker_env: WorkerEnv, long: Decimal
) -> None:
    result = operator("positions", "trail", "MNQ", "60")

    assert long
    assert (0, "") == (result.status, result.error)
    assert "the stop follows by 60 ticks from now on, never back" in result.out
    assert [(60,)] == worker_env.rows("SELECT trail_ticks FROM orders WHERE role = 'ENTRY'")
    operator("positions", "trail", "MNQ", "none")
    assert [(None,)] == worker_env.rows("SELECT trail_ticks FROM orders WHERE role = 'ENTRY'")
    assert "'x' is no distance: give ticks from 1 to 999999" in operator("positions", "trail", "MNQ", "x").error


@pytest.mark.parametrize("verb", [("breakeven", "MNQ"), ("trail", "MNQ", "40")], ids=" ".join)
def test_a_flat_account_has_no_stop_to_move(operator: Type, verb: tuple[str, ...]) -> None:
    result = operator("positions", *verb)

    assert (1, "") == (result.status, result.out)
    assert f"holds nothing of {MNQ}: `tickwork positions` shows what is held" in result.error
