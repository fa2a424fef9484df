"""The orders of a run: each is placed with a tag of the run, and all of them are cancelled or closed at its end."""

import contextlib
import signal
import sys
from collections import Counter
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from shared.clock import monotonic
from shared.errors import RefusedError, TickworkError, VenueDownError
from simulator.conformance.budget import wait_seconds
from simulator.conformance.context import CheckContext, Row, format_instant
from simulator.conformance.hub_client import GatewayHub
from simulator.conformance.rest import GatewayReply, is_refusal, make_random_name

BUY, SELL = 0, 1
LIMIT, MARKET, STOP_LIMIT, STOP = 1, 2, 3, 4
OPEN, FILLED, CANCELLED, REJECTED, SUSPENDED = 1, 2, 3, 5, 8
WORKING = [1, 6, 7, 8]
_WITHIN_S, _LOOK_EVERY_S = 10.0, 0.2
DISTANCES = (Decimal("0.05"), Decimal("0.02"), Decimal("0.01"))  # of a far limit from the last price, as a fraction
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # signals that end a run
_TIDY_ROUNDS = 4
_LONGEST_PAUSE_S = 16.0


class OrderSession:
    """Places orders in one contract and remembers them. The account had nothing in that contract before."""

    def __init__(self, context: CheckContext) -> None:
        self.context = context
        self.distance = DISTANCES[0]
        self.prefix = make_random_name()
        self.stop_reason: str | None = None  # why no more orders are placed
        self.problems = ["the clean-up has not ended"]
        self._is_cleaned_up = False
        self._net_when_flat = 0  # the sum of our fills while flat: the orders of closeContract are not ours
        self._may_be_closing = False  # an order of closeContract may fill later
        self._position_before = 0  # when the clean-up last looked
        self._rest = context.rest
        self._ids: set[int] = set()
        self._unrefused: set[int] = set()  # those of them that no answer refused: a search must show them
        self._unclear: Counter[str] = Counter()  # by tag: the orders without an id that no answer accepted or refused
        self._tags = 0
        context.load_newest_bar()
        if context.newest_bar is None:
            raise RefusedError("no bar in the last week, so no price to stay away from: give another --contract")
        # Long before: the clocks of the two sides need not agree. The tags tell which rows are those of this run.
        self._began = format_instant(context.market_now - timedelta(days=1))
        self.last_price = Decimal(context.newest_bar["c"])
        self.hub: GatewayHub = context.ending.enter_context(context.open_hub("user"))
        self._rest.budget.wait = self.hub.listen
        context.ending.callback(self.clean_up)
        self.hub.invoke("SubscribeAccounts")
        for topic in ("Orders", "Positions", "Trades"):
            self.hub.invoke(f"Subscribe{topic}", context.account_id)

    def make_tag(self) -> str:
        """Return a tag that no order has."""
        self._tags += 1
        return f"{self.prefix}-{self._tags}"

    def far_price(self, side: int = BUY) -> Decimal:
        """Return a limit price that the market does not reach, aligned to the tick."""
        tick = self.context.tick_size
        away = self.last_price * (1 - self.distance if side == BUY else 1 + self.distance)
        return (away / tick).to_integral_value(ROUND_FLOOR) * tick

    def place(self, **changes: Any) -> GatewayReply:  # noqa: ANN401 - any JSON
        """Place a limit order far from the market, with `changes`, and return the answer.

        Raise VenueDownError for an answer that neither accepts nor refuses it: the clean-up looks for it.
        """
        side = changes.get("side", BUY)
        body = {
            "accountId": self.context.account_id, "contractId": self.context.contract_id, "type": LIMIT, "side": side,
            "size": 1, "limitPrice": self.far_price(side), "customTag": self.make_tag(), **changes,
        }  # fmt: skip
        tag = str(body["customTag"])
        self._unclear[tag] += 1
        reply = self._rest.send("/api/Order/place", {key: value for key, value in body.items() if value is not None})
        order_id = reply.document.get("orderId") if isinstance(reply.document, dict) else None
        ids = {order_id} if isinstance(order_id, int) and order_id > 0 else set()
        is_refused = is_refusal(reply)
        self._ids |= ids
        self._unrefused |= set() if is_refused else ids
        if is_refused or ids:
            self._unclear[tag] -= 1
        if not is_refused and not (ids and reply.is_success):
            raise VenueDownError(f"an order got no clear answer ({reply.describe()})")
        return reply

    def place_accepted(self, **changes: Any) -> int:  # noqa: ANN401 - any JSON
        """Place an order as `place` does, and return its id; raise RefusedError if it is refused."""
        reply = self.place(**changes)
        if not reply.is_success:
            raise RefusedError(f"an order was refused: {reply.describe()}")
        id_: int = reply.document["orderId"]
        return id_

    def cancel(self, order_id: int) -> GatewayReply:
        """Cancel an order."""
        return self._rest.send("/api/Order/cancel", {"accountId": self.context.account_id, "orderId": order_id})

    def order(self, order_id: int) -> Row:
        """Return an order as the gateway shows it now."""
        document = self._rest.post("/api/Order/searchById", accountId=self.context.account_id, orderId=order_id)
        row = document.get("order")
        if not isinstance(row, dict):
            raise RefusedError(f"order {order_id} is not found by its id")
        return row

    def wait_for_status(self, order_id: int, status: int) -> Row:
        """Return an order once it has a status; raise RefusedError if it does not get it in time."""
        end = monotonic() + _WITHIN_S
        while (row := self.order(order_id))["status"] != status:
            if monotonic() > end:
                raise RefusedError(f"an order has status {row['status']} after {_WITHIN_S:.0f} s, expected {status}")
            self.hub.listen(_LOOK_EVERY_S)
        return row

    def position(self) -> int:
        """Return the net quantity in the contract, positive when long."""
        rows = self._rest.rows("/api/Position/searchOpen", "positions", accountId=self.context.account_id)
        own = [row for row in rows if self.context.is_in_contract(row)]
        return sum(row["size"] * (1 if row["type"] == 1 else -1) for row in own)

    def close_position(self) -> None:
        """Close the position with closeContract, and wait until it is flat, also if no clear answer came.

        Raise RefusedError if it is refused, or accepted and not flat in time, VenueDownError if it got no clear answer
        and is not flat in time.
        """
        reply, answer = self._send_close()
        end = monotonic() + _WITHIN_S
        while self.position() or not self._note_flat():
            if monotonic() > end:
                is_accepted = reply is not None and reply.is_success
                message = f"the position is not closed {_WITHIN_S:.0f} s after closeContract ({answer})"
                raise RefusedError(message) if is_accepted else VenueDownError(message)
            self.hub.listen(_LOOK_EVERY_S)

    def working_orders(self) -> list[Row]:
        """Return the working orders in the contract, suspended ones too."""
        by = {"accountId": self.context.account_id, "statuses": WORKING, "contractId": self.context.contract_id}
        return self._rest.rows("/api/Order/v2/query", "orders", filter=by, pageSize=100)

    def trades_of(self, order_id: int) -> list[Row]:
        """Return the fills of an order, oldest first."""
        body = {"accountId": self.context.account_id, "startTimestamp": self._began}
        rows = self._rest.rows("/api/Trade/search", "trades", **body)
        return sorted((row for row in rows if row["orderId"] == order_id), key=lambda row: row["id"])

    def balance(self) -> Decimal:
        """Return the balance of the account."""
        rows = self._rest.rows("/api/Account/search", "accounts", onlyActiveAccounts=False)
        return Decimal(next(row["balance"] for row in rows if row["id"] == self.context.account_id))

    def tidy(self) -> None:
        """Cancel and close what a step has left; place no more orders if that is not possible."""
        for _ in range(_TIDY_ROUNDS):
            problems = self._clean_up_once()
            if not problems:
                return
            self.hub.listen(1)
        self.stop_reason = f"{problems[0]}: no more orders are placed"

    def clean_up(self) -> None:
        """Cancel the orders of this run and close what it opened; say loudly on stderr what could not be done."""
        if self._is_cleaned_up:
            return
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in ENDINGS}
        try:
            wait_seconds(1)  # for an order whose answer was lost a moment ago
            ends, pause = monotonic() + self.context.options.clean_up_seconds, 1.0
            while True:
                self.problems = self._clean_up_once()
                if not self.problems or monotonic() + pause > ends:
                    break
                wait_seconds(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            self._is_cleaned_up = True
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for problem in self.problems:
                with contextlib.suppress(OSError):  # the terminal may be gone
                    sys.stderr.write(f"!!! NOT CLEANED UP: {problem}. Look at the account now.\n")

    def _clean_up_once(self) -> list[str]:
        """Return what is left to do, after having tried to do it."""
        try:
            if self._may_be_closing:
                self._note_flat()
            rows = self._orders()
            own = self._own_ids(rows)
            left = {row["id"] for row in rows if row["id"] in own and row["status"] in WORKING}
            shown = {row["id"] for row in rows}
            unknown = {row["id"]: str(row.get("customTag")) for row in rows if row["id"] not in self._ids}
            lost = self._unclear - Counter(unknown.values())
            hidden = self._unrefused - shown
            for order_id in sorted(left | (self._ids - shown)):  # a cancel does nothing to an order that has ended
                with contextlib.suppress(TickworkError):  # the order is looked at again
                    self.cancel(order_id)
            position = self.position()
            opened = self._net_filled(rows) - self._net_when_flat
            quantity = min(abs(position), abs(opened)) if position * opened > 0 else 0
            if quantity:
                at_work = [row for row in rows if row["id"] in left]
                self._close(position, quantity, at_work, has_lost_orders=bool(lost or hidden))
            self._position_before = position
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said and tried again
            return [f"the account could not be read ({type(error).__name__}: {error})"]
        problems = [f"order {order_id} is still working" for order_id in sorted(left)]
        problems += [f"order {order_id} got an id, and no search shows it" for order_id in sorted(hidden)]
        problems += [f"an order with the tag {tag} got no clear answer, and no search shows it" for tag in sorted(lost)]
        # The account was flat in the contract, so also a position that no fill of ours explains is a problem.
        if position:
            problems.append(f"a position of {position} in {self.context.contract_id} is still open")
        elif opened:
            problems.append(f"our fills make {opened:+} in {self.context.contract_id}, and no position is listed")
        return problems

    def _close(self, position: int, quantity: int, at_work: list[Row], *, has_lost_orders: bool) -> None:
        """Close `quantity` of the position, which our fills have opened, but never sell what another order may close.

        While an order of ours that could close it is at work, wait. If one may fill that no search shows, or one of an
        earlier closeContract, wait until the position has settled, and use closeContract: it closes what is open.
        """
        closing = SELL if position > 0 else BUY
        if any(row["side"] == closing for row in at_work):
            return
        with contextlib.suppress(TickworkError):  # the position is looked at again
            if not self._may_be_closing and not has_lost_orders:
                self.place(side=closing, type=MARKET, limitPrice=None, size=quantity)
            elif position == self._position_before and quantity == abs(position):
                self.close_position()

    def _send_close(self) -> tuple[GatewayReply | None, str]:
        """Send closeContract; return its answer, None without one, and that in words. Raise RefusedError if refused."""
        body = {"accountId": self.context.account_id, "contractId": self.context.contract_id}
        before, self._may_be_closing = self._may_be_closing, True  # at once: a signal may end the wait for the answer
        try:
            reply = self._rest.send("/api/Position/closeContract", body)
        except VenueDownError as error:
            return None, str(error)
        if is_refusal(reply):
            self._may_be_closing = before
            raise RefusedError(f"closeContract answered {reply.describe()}, expected a success")
        return reply, reply.describe()

    def _note_flat(self) -> bool:
        """Remember that the position is closed, if not by our orders then by those of closeContract.

        Return False if it is open, or if an order of ours filled while we looked: its fill may have come before the
        look at the position or after it.
        """
        filled = self._net_filled(self._orders())
        if self.position() or filled != self._net_filled(self._orders()):
            return False
        self._may_be_closing, self._net_when_flat = False, filled
        return True

    def _orders(self) -> list[Row]:
        """Return the account's orders since the beginning, by every search that the gateway answers.

        The orders of this run are told by id and tag, never by the contract, which a history may show in another form.
        """
        body = {"accountId": self.context.account_id, "startTimestamp": self._began}
        rows = self._rest.rows("/api/Order/search", "orders", **body)
        with contextlib.suppress(TickworkError):
            rows += self.working_orders()
        for order_id in self._ids - {row["id"] for row in rows}:
            with contextlib.suppress(TickworkError):
                rows.append(self.order(order_id))
        return rows

    def _own_ids(self, rows: list[Row]) -> set[int]:
        """Return the ids of this run's orders and of their legs, also of those whose answer was lost."""
        own = self._ids | {row["id"] for row in rows if (row.get("customTag") or "").startswith(self.prefix)}
        return own | {row["id"] for row in rows if row.get("parentOrderId") in own}

    def _net_filled(self, rows: list[Row]) -> int:
        """Return the net quantity that this run's orders have bought, negative if they have sold, by the orders' rows.

        The trades may be listed later than the orders, so they are not asked.
        """
        own, shown = self._own_ids(rows), {row["id"]: row for row in rows}
        return sum(row["fillVolume"] * (1 if row["side"] == BUY else -1) for row in shown.values() if row["id"] in own)
