"""Orders in a run: each is placed with a tag of the run, and all of them are cancelled or closed at its end."""

import contextlib
import math
import signal
import sys
from decimal import ROUND_FLOOR, Decimal
from functools import partial
from typing import Any

from shared.clock import monotonic
from shared.errors import RefusedError, TickworkError, VenueDownError
from simulator.conformance.budget import wait_seconds
from simulator.conformance.context import CheckContext, Row
from simulator.conformance.hub_client import GatewayHub
from simulator.conformance.own_orders import BUY, SELL, WORKING, OwnOrders, require_empty_contract
from simulator.conformance.own_position import LOOK_EVERY_S, SHOWN_WITHIN_S, OwnPosition
from simulator.conformance.rest import GatewayReply
from simulator.conformance.results import CannotAskError

LIMIT, MARKET, STOP_LIMIT, STOP = 1, 2, 3, 4
OPEN, FILLED, CANCELLED, REJECTED, SUSPENDED = 1, 2, 3, 5, 8
DISTANCES = (Decimal("0.05"), Decimal("0.02"), Decimal("0.01"))  # of a far limit from the last price, as a fraction
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # signals that end a run
_TIDY_ROUNDS = 4
_LONGEST_PAUSE_S = 16.0


class OrderSession:
    """Places orders in one contract and remembers them. The account had nothing in that contract before.

    Raise SettingsError if it has something by now: the confirmation may have taken a while.
    """

    def __init__(self, context: CheckContext) -> None:
        self.context = context
        self.distance = DISTANCES[0]
        self.stop_reason: str | None = None  # why no more orders are placed
        self.problems = ["the clean-up has not ended"]
        self.is_left_by_gateway = False  # it served the whole clean-up, and all that is left is of this run
        self._is_cleaned_up = self._is_only_own = False
        self._position_before: int | None = 0  # when the clean-up last looked, None if no positions were listed
        self._rest = context.rest
        context.load_newest_bar()
        if context.newest_bar is None:
            raise CannotAskError("no bar in the last week, so no price to stay away from: give another --contract")
        require_empty_contract(context)
        self.own = OwnOrders(context)
        self.last_price = Decimal(context.newest_bar["c"])
        self.hub: GatewayHub = context.ending.enter_context(context.open_hub("user"))
        self._rest.budget.wait = self.hub.listen
        self.own_position = OwnPosition(context, self.own, self.hub.listen)
        context.ending.callback(self.clean_up)
        self.hub.invoke("SubscribeAccounts")
        for topic in ("Orders", "Positions", "Trades"):
            self.hub.invoke(f"Subscribe{topic}", context.account_id)

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
            "size": 1, "limitPrice": self.far_price(side), "customTag": self.own.make_tag(), **changes,
        }  # fmt: skip
        tag = str(body["customTag"])
        wanted = {key: value for key, value in body.items() if value is not None}
        reply = self._rest.send("/api/Order/place", wanted, count_sent=partial(self.own.count_sent, tag))
        if not self.own.note_answer(tag, reply):
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
        """Return an order once the gateway shows it; raise CannotAskError if it does not in time."""
        return self._wait_for_order(order_id, None)

    def wait_for_status(self, order_id: int, status: int) -> Row:
        """Return an order once it has a status; raise CannotAskError if it is not shown with it in time."""
        return self._wait_for_order(order_id, status)

    def position(self) -> int:
        """Return the net quantity in the contract, positive when long."""
        return self.own_position.read()

    def close_position(self) -> None:
        """Close the position as `OwnPosition.close` does."""
        self.own_position.close()

    def balance(self) -> Decimal:
        """Return the balance of the account."""
        rows = self._rest.rows("/api/Account/search", "accounts", onlyActiveAccounts=False)
        return Decimal(next(row["balance"] for row in rows if row["id"] == self.context.account_id))

    def _wait_for_order(self, order_id: int, status: int | None) -> Row:
        """Look again until an order is shown, with a status if one is given: a new one may not be shown at once."""
        end = monotonic() + SHOWN_WITHIN_S
        while True:
            row = self.own.look_up(order_id)
            if row is not None and status in {None, row["status"]}:
                return row
            if monotonic() > end:
                shown = "is not found by its id" if row is None else f"has status {row['status']}, expected {status}"
                raise CannotAskError(f"order {order_id} {shown}, after {SHOWN_WITHIN_S:.0f} s: run again later")
            self.hub.listen(LOOK_EVERY_S)

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
            outages = self._rest.outage_count
            self._rest.budget.ends_at = ends
            self._cancel_all(self.own.find_unended())  # first: a search may hang until no time is left
            while True:
                self.problems = self._clean_up_once()
                if not self.problems or monotonic() + pause > ends:
                    break
                wait_seconds(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            self.is_left_by_gateway = self._is_only_own and outages == self._rest.outage_count
            self._is_cleaned_up = True
        finally:
            self._rest.budget.ends_at = math.inf
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for problem in self.problems:
                with contextlib.suppress(OSError):  # the terminal may be gone
                    sys.stderr.write(f"!!! NOT CLEANED UP: {problem}. Look at the account now.\n")

    def _clean_up_once(self) -> list[str]:
        """Return what is left to do, after having tried to do it."""
        self._is_only_own = False
        try:
            if self.own_position.may_be_closing:
                with contextlib.suppress(Exception):  # the searches below tell what fails
                    self.own_position.note_flat()
            rows, unseen = self._search_orders()
            own, shown = self.own.find_ids(rows), {row["id"] for row in rows}
            at_work = [row for row in rows if row["id"] in own and row["status"] in WORKING]
            left, hidden = {row["id"] for row in at_work}, self.own.unrefused - shown
            unseen += [f"order {order_id} got an id, and no search shows it" for order_id in sorted(hidden)]
            unseen += [
                f"an order with the tag {tag} got no clear answer, and no search shows it"
                for tag in self.own.find_lost(rows)
            ]
            self._cancel_all(left | (self.own.ids - shown))
            opened = self.own_position.sum_opened(rows)
            problems = [f"order {order_id} is still working" for order_id in sorted(left)] + unseen
            external = self.own.find_external(rows)  # never cancelled: it may belong to a person
            problems += [
                f"order {row['id']} in {self.context.contract_id} is not of this run and still works"
                for row in external
            ]
            return problems + self._close_opened(opened, at_work, external, has_unseen=bool(unseen))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said and tried again
            return [f"the account could not be read ({type(error).__name__}: {error})"]

    def _search_orders(self) -> tuple[list[Row], list[str]]:
        """Search as `search_any` does; if no list of orders comes, cancel the orders whose ids are known."""
        try:
            return self.own.search_any()
        except Exception:
            self._cancel_all(self.own.find_unended())
            raise

    def _cancel_all(self, order_ids: set[int]) -> None:
        """Cancel orders; a cancel does nothing to one that has ended."""
        for order_id in sorted(order_ids):
            with contextlib.suppress(Exception):  # whatever it is, the order is looked at again
                self.cancel(order_id)

    def _close_opened(self, opened: int, at_work: list[Row], external: list[Row], *, has_unseen: bool) -> list[str]:
        """Close what our fills have opened, and return what is left of it.

        If the positions are not listed twice in a row, send closeContract once, unless another order may fill.
        """
        try:
            position = self.position()
        except TickworkError as error:
            may_fill = self.own_position.may_be_closing or has_unseen or bool(at_work or external)
            if opened and not may_fill and self._position_before is None:
                with contextlib.suppress(TickworkError):  # the position is looked at again
                    self.own_position.send_close(opened)
            self._position_before = None
            return [f"Position/searchOpen gave no list of positions ({type(error).__name__}: {error})"]
        quantity = abs(self.own_position.find_own_part(position, opened))
        self._is_only_own = bool(position or at_work) and quantity == abs(position) and not (external or has_unseen)
        if quantity:
            self._close(position, quantity, at_work, external, has_unseen=has_unseen)
        self._position_before = position
        # The account was flat in the contract, so also a position that no fill of ours explains is a problem.
        if position:
            return [f"a position of {position} in {self.context.contract_id} is still open"]
        if opened and not has_unseen:
            return [f"our fills make {opened:+} in {self.context.contract_id}, and no position is listed"]
        return []

    def _close(
        self, position: int, quantity: int, at_work: list[Row], external: list[Row], *, has_unseen: bool
    ) -> None:
        """Close `quantity` of the position, which our fills have opened, but never sell what another order may close.

        While an order of ours that could close it is at work, wait. If one may fill that no search shows, or one of an
        earlier closeContract, wait until no order that is not ours could close it either and the position has settled,
        and use closeContract: it closes what is open. Use it at once if our order is refused.
        """
        closing = SELL if position > 0 else BUY
        may_fill = self.own_position.may_be_closing or has_unseen
        if any(row["side"] == closing for row in (at_work + external if may_fill else at_work)):
            return
        with contextlib.suppress(TickworkError):  # the position is looked at again
            if not may_fill and self.place(side=closing, type=MARKET, limitPrice=None, size=quantity).is_success:
                return
            if quantity == abs(position) and (not may_fill or position == self._position_before):
                self.own_position.close_everything(position)
