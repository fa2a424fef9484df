"""Moves the stops of a position to breakeven, or behind the price at a trailing distance."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from shared.clock import machine_now
from shared.db.market_data import contracts
from shared.db.orders import changes
from shared.db.orders.positions import PositionRow
from shared.db.orders.stops import find_newest_entry, list_working
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.price_text import format_price
from shared.domain.orders.order import ChangeKind, Origin
from shared.domain.orders.protection import compute_protective_stop
from shared.domain.orders.stop_pace import MOST_MOVES, MOVES_WITHIN, may_move
from shared.fleets import Queue
from shared.hot.quotes import HotQuote, exit_price_from
from shared.ledger.jobs.orders import ChangeOrder
from shared.ledger.ledger import Transaction
from workers.risk.watch_run import WatchRun


def trail_stops(run: WatchRun, held: Sequence[PositionRow], quotes: Mapping[str, HotQuote]) -> None:
    """Move the stops of these positions whose entry has a breakeven, or a trailing distance behind the best price."""
    for position in held:
        price = exit_price_from(quotes)(position.contract_id, position.quantity)
        if price is None:
            continue
        with run.transaction(f"stops of account {position.account_id} are moved in the next watch") as tx:
            _move_stops(tx, position, price)


def _move_stops(tx: Transaction, position: PositionRow, price: Decimal) -> None:
    """Request the moves that the newest entry of a position asks for while it can be closed at `price`.

    A stop that moved a moment ago, or whose move the venue rejected, waits; so do all while many moves were requested.
    """
    entry = find_newest_entry(tx.connection, position)
    if entry is None or (entry.breakeven_ticks is None and entry.trail_ticks is None):
        return
    contract = contracts.require(tx.connection, position.contract_id)
    for stop in list_working(tx.connection, position):
        if stop.stop_price is None or position.average_price is None:
            continue
        now = _to_ticks(stop.stop_price, contract)
        wanted = compute_protective_stop(
            entry.side,
            _to_ticks(position.average_price, contract),
            _to_ticks(price, contract),
            now,
            breakeven_ticks=entry.breakeven_ticks,
            trail_ticks=entry.trail_ticks,
        )
        if wanted == now or changes.has_open(tx.connection, stop.id):
            continue
        past = changes.find_stop_moves(tx.connection, stop.id)
        if not may_move(past, abs(wanted - now), entry.trail_ticks, machine_now()):
            continue
        if changes.count_stop_moves(tx.connection, machine_now() - MOVES_WITHIN) >= MOST_MOVES:
            return
        change = changes.create(
            tx.connection,
            stop.id,
            ChangeKind.MODIFY,
            origin=Origin.PROTECTOR,
            reason=f"the price is {format_price(price, contract.tick_size)}",
            correlation_id=stop.correlation_id,
            stop_price=wanted * contract.tick_size,
        )
        # Not critical: a stop works already, and the requests reserved for exits stay theirs.
        tx.enqueue(ChangeOrder(change_id=change.id), correlation_id=stop.correlation_id, queue=Queue.HIGH)


def _to_ticks(price: Decimal, contract: Contract) -> int:
    return int((price / contract.tick_size).to_integral_value())
