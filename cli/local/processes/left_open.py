"""What a stack that stops leaves open at the venue, and what watches it no longer until the next start."""

from collections.abc import Callable, Sequence
from threading import Thread

from sqlalchemy import Connection

from cli.local.home.state import Json
from shared.db.accounts import accounts
from shared.db.engine import DATABASE_ERRORS, make_engine, snapshot
from shared.db.orders import orders, positions, stops
from shared.domain.counting import count_of
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.orders.order import OrderState, direction_of

_TIMEOUT_S = 1.0
_MAY_FILL = {OrderState.WORKING, OrderState.SUBMITTING, OrderState.IN_DOUBT}


def start_reading(database_url: str) -> Callable[[], list[Json] | None]:
    """Begin to read the positions and orders that are open; return a function that returns them, by account.

    It waits at most a second, and returns None if Postgres has not answered by then.
    """
    found: list[list[Json]] = []
    thread = Thread(target=_read, args=(database_url, found), name="left open", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the system has no thread left, and the stop goes on
        return lambda: None

    def finish() -> list[Json] | None:
        thread.join(_TIMEOUT_S)
        return found[0] if found else None

    return finish


def describe_left_open(found: Sequence[Json] | None) -> str | None:
    """Return what is open as one line of warning, None if nothing is; `found` None means that it is not known."""
    if found is None:
        return "Warning: what stays open at the venue is not known. Tickwork watches nothing until the next start."
    if not found:
        return None
    shown = "; ".join(f"account {one['account_id']} ({one['account']}): {_describe(one)}" for one in found)
    return f"Warning: Tickwork watches nothing until the next start; at the venue stay: {shown}."


def describe_unwatched(found: Sequence[Json] | None) -> str | None:
    """Return what is open now and what a stop ends for it, as a warning; None without a position, or if not known."""
    lines = [
        f"account {one['account_id']} ({one['account']}): {direction_of(row['quantity'])} {abs(row['quantity'])} "
        f"{shorten_contract(row['contract_id'])}, {_describe_stop(row)}"
        for one in found or []
        for row in one["positions"]
    ]
    if not lines:
        return None
    return (
        f"Warning: open now: {'; '.join(lines)}. A stop of the stack ends what watches it: no stop is placed, moved or "
        "replaced, no rule or flat-by time of the account is kept, and no alert closes it, until the next start."
    )


def _describe_stop(position: Json) -> str:
    quantity, stopped = abs(position["quantity"]), position["stopped_quantity"]
    if stopped >= quantity:
        return "its stop works at the venue"
    return f"NO stop works at the venue for {quantity if not stopped else f'{quantity - stopped} of {quantity}'}"


def _describe(one: Json) -> str:
    held = [
        f"{direction_of(row['quantity'])} {abs(row['quantity'])} {shorten_contract(row['contract_id'])}"
        for row in one["positions"]
    ]
    roles = [row["role"].lower().replace("_", " ") for row in one["orders"]]
    working = [f"{count_of(roles.count(role), f'{role} order')}" for role in dict.fromkeys(roles)]
    return ", ".join([*(held or ["flat"]), *working])


def _read(database_url: str, found: list[list[Json]]) -> None:
    engine = make_engine(database_url, program="up", pool_size=1, statement_timeout_s=_TIMEOUT_S)
    try:
        with snapshot(engine) as connection:
            found.append(_read_accounts(connection))
    except DATABASE_ERRORS:
        return
    finally:
        engine.dispose()


def _read_accounts(connection: Connection) -> list[Json]:
    rows = [
        {
            "account_id": one.id,
            "account": one.name,
            "positions": [
                {
                    "contract_id": row.contract_id,
                    "quantity": row.quantity,
                    "stopped_quantity": sum(
                        stop.quantity - stop.filled_quantity
                        for stop in (*stops.list_working(connection, row), *stops.list_external(connection, row))
                    ),
                }
                for row in positions.list_of_account(connection, one.id)
            ],
            "orders": [
                {
                    "id": str(row.id),
                    "contract_id": row.contract_id,
                    "role": row.role,
                    "side": row.side,
                    "quantity": row.quantity - row.filled_quantity,
                    "state": row.state,
                }
                for row in orders.list_open(connection, one.id)
                if row.state in _MAY_FILL
            ],
        }
        for one in accounts.list_all(connection)
    ]
    return [row for row in rows if row["positions"] or row["orders"]]
