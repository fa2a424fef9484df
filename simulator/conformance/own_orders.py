"""The orders of a run: what their answers say of them, and what the gateway's searches show of them."""

import contextlib
from collections import Counter
from datetime import timedelta
from http import HTTPStatus

from shared.errors import RefusedError, SettingsError, TickworkError
from simulator.conformance.context import CheckContext, Row, format_instant
from simulator.conformance.rest import GatewayReply, is_refusal, make_random_name

BUY, SELL = 0, 1
WORKING = [1, 6, 7, 8]
_ENDED = {2, 3, 4, 5}  # filled, cancelled, expired, rejected: such a row changes no more


def require_empty_contract(context: CheckContext) -> None:
    """Raise SettingsError if the account has a position or a working order in the contract."""
    account_id, contract_id = context.account_id, context.contract_id
    positions = context.rest.rows("/api/Position/searchOpen", "positions", accountId=account_id)
    by = {"accountId": account_id, "statuses": WORKING, "contractId": contract_id}
    orders = context.rest.rows("/api/Order/v2/query", "orders", filter=by)
    if orders or any(context.is_in_contract(row) for row in positions):
        raise SettingsError(
            f"account {account_id} has a position or a working order in {contract_id}: close and cancel them first, "
            "or give another --contract"
        )


class OwnOrders:
    """Tells the orders of a run by their ids and tags, never by the contract, which a history may show otherwise."""

    def __init__(self, context: CheckContext) -> None:
        self.ids: set[int] = set()
        self.unrefused: set[int] = set()  # those of them that no answer refused: a search must show them
        self.unclear: Counter[str] = Counter()  # by tag: the orders without an id that no answer accepted or refused
        self._last_rows: dict[int, Row] = {}  # by id: how these orders, and their legs, were last shown
        self._context = context
        self._prefix = make_random_name()
        self._tags = 0
        # Long before: the clocks of the two sides need not agree. The tags tell which rows are those of this run.
        self._began = format_instant(context.market_now - timedelta(days=1))

    def make_tag(self) -> str:
        """Return a tag that no order has."""
        self._tags += 1
        return f"{self._prefix}-{self._tags}"

    def count_sent(self, tag: str, change: int) -> None:
        """Count an order that is sent, and may be placed from now on (1), or one that was not placed (-1)."""
        self.unclear[tag] += change

    def note_answer(self, tag: str, reply: GatewayReply) -> bool:
        """Remember the answer to an order that was sent; return whether it clearly accepts or refuses the order."""
        order_id = reply.document.get("orderId") if isinstance(reply.document, dict) else None
        ids = {order_id} if isinstance(order_id, int) and order_id > 0 else set()
        is_refused = is_refusal(reply)
        self.ids |= ids
        self.unrefused |= set() if is_refused else ids
        if is_refused or ids:
            self.unclear[tag] -= 1
        return is_refused or (bool(ids) and reply.is_success)

    def look_up(self, order_id: int) -> Row | None:
        """Return an order as the gateway shows it now, None if it does not; raise RefusedError for another answer."""
        body = {"accountId": self._context.account_id, "orderId": order_id}
        reply = self._context.rest.send("/api/Order/searchById", body)
        row = reply.document.get("order") if reply.is_success else None
        if isinstance(row, dict):
            return row
        if reply.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise RefusedError(f"/api/Order/searchById answered {reply.describe()}, expected a success")
        return None

    def search_working(self) -> list[Row]:
        """Return the working orders in the contract, suspended ones too."""
        by = {"accountId": self._context.account_id, "statuses": WORKING, "contractId": self._context.contract_id}
        return self._context.rest.rows("/api/Order/v2/query", "orders", filter=by, pageSize=100)

    def search_trades(self, order_id: int) -> list[Row]:
        """Return the fills of an order, oldest first."""
        rows = [row for row in self._search_all_trades() if row["orderId"] == order_id]
        return sorted(rows, key=lambda row: row["id"])

    def search_other_trades(self) -> set[int]:
        """Return the ids of the account's fills, in any contract, that are not of this run's orders and legs."""
        own = self.find_ids(list(self._last_rows.values()))
        return {row["id"] for row in self._search_all_trades() if row["orderId"] not in own}

    def _search_all_trades(self) -> list[Row]:
        body = {"accountId": self._context.account_id, "startTimestamp": self._began}
        return self._context.rest.rows("/api/Trade/search", "trades", **body)

    def search_all(self) -> list[Row]:
        """Return the account's orders since the beginning; raise TickworkError if Order/search does not list them."""
        body = {"accountId": self._context.account_id, "startTimestamp": self._began}
        rows = self._context.rest.rows("/api/Order/search", "orders", **body)
        with contextlib.suppress(TickworkError):
            rows += self.search_working()
        return self._add_missing(rows)

    def search_any(self) -> tuple[list[Row], list[str]]:
        """Return the account's orders by every search that the gateway answers, and why they may not be all.

        Without Order/search these are the working orders and those of which this run knows the id. Raise TickworkError
        if v2/query does not list the working ones either.
        """
        try:
            return self.search_all(), []
        except TickworkError as error:
            problem = f"Order/search gave no list of orders ({type(error).__name__}: {error})"
            return self._add_missing(self.search_working()), [problem]

    def find_unended(self) -> set[int]:
        """Return the ids that an answer or a search gave, without those of the orders that were shown as ended."""
        return {id_ for id_ in self.ids | self._last_rows.keys() if not self._has_ended(id_)}

    def _add_missing(self, rows: list[Row]) -> list[Row]:
        """Return the rows, and by their ids the orders and legs of this run that are not among them.

        One that was shown as ended is not asked for again: many requests in each round would spend the limit.
        """
        for order_id in (self.ids | self._last_rows.keys()) - {row["id"] for row in rows}:
            with contextlib.suppress(TickworkError):
                row = self._last_rows[order_id] if self._has_ended(order_id) else self.look_up(order_id)
                rows += [] if row is None else [row]
        own = self.find_ids(rows)
        self._last_rows |= {row["id"]: row for row in rows if row["id"] in own}
        return rows

    def _has_ended(self, order_id: int) -> bool:
        row = self._last_rows.get(order_id)
        return row is not None and row["status"] in _ENDED

    def find_ids(self, rows: list[Row]) -> set[int]:
        """Return the ids of this run's orders and of their legs, also of those whose answer was lost."""
        own = self.ids | {row["id"] for row in rows if (row.get("customTag") or "").startswith(self._prefix)}
        return own | {row["id"] for row in rows if row.get("parentOrderId") in own}

    def find_external(self, rows: list[Row]) -> list[Row]:
        """Return the working orders in the contract that are not of this run.

        They are of closeContract, a bracket that the platform attached, or of a person or another program.
        """
        own, shown = self.find_ids(rows), {row["id"]: row for row in rows}
        working = [row for row in shown.values() if row["status"] in WORKING and row["id"] not in own]
        return [row for row in working if self._context.is_in_contract(row)]

    def sum_filled(self, rows: list[Row]) -> int:
        """Return the net quantity that this run's orders have bought, negative if they have sold, by the orders' rows.

        The trades may be listed later than the orders, so they are not asked.
        """
        own, shown = self.find_ids(rows), {row["id"]: row for row in rows}
        return sum(row["fillVolume"] * (1 if row["side"] == BUY else -1) for row in shown.values() if row["id"] in own)

    def find_lost(self, rows: list[Row]) -> list[str]:
        """Return the tags of the orders without a clear answer that are in none of the rows."""
        others = Counter(str(row.get("customTag")) for row in {row["id"]: row for row in rows}.values()
                         if row["id"] not in self.ids)  # fmt: skip
        return sorted(self.unclear - others)
