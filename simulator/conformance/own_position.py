"""The position of a run in its contract: what its fills have opened, and closeContract, which closes all of it."""

from collections.abc import Callable

from shared.clock import monotonic
from shared.errors import RefusedError, VenueDownError
from simulator.conformance.context import CheckContext, Row
from simulator.conformance.own_orders import BUY, SELL, OwnOrders
from simulator.conformance.rest import GatewayReply, is_refusal
from simulator.conformance.results import CannotAskError

SHOWN_WITHIN_S, LOOK_EVERY_S = 10.0, 0.2  # what was accepted is to be shown by then


class OwnPosition:
    """Reads and closes the position. `listen` waits some seconds while the hub is served."""

    def __init__(self, context: CheckContext, own: OwnOrders, listen: Callable[[float], None]) -> None:
        self._closing: list[int] = []  # what the orders of closeContract that may fill later add to the position
        self._net_when_flat = 0  # the sum of our fills while flat: the orders of closeContract are not ours
        self._context, self._own, self._listen = context, own, listen
        self._rest = context.rest

    @property
    def may_be_closing(self) -> bool:
        """Whether an order of closeContract may fill later."""
        return bool(self._closing)

    def read(self) -> int:
        """Return the net quantity in the contract, positive when long."""
        rows = self._rest.rows("/api/Position/searchOpen", "positions", accountId=self._context.account_id)
        own = [row for row in rows if self._context.is_in_contract(row)]
        return sum(row["size"] * (1 if row["type"] == 1 else -1) for row in own)

    def close(self) -> None:
        """Close the position with closeContract, and wait until it is flat, also if no clear answer came.

        Raise CannotAskError, and send nothing, if the position is not the one that our fills make: closeContract would
        close what is not ours. Raise CannotAskError too if it is accepted and the position is shown as open all the
        same, RefusedError if it is refused, VenueDownError if it got no clear answer and the position is not flat in
        time, or if another order that may close it still works.
        """
        position = self.require_own()
        if not position:
            raise CannotAskError("the position was closed before closeContract was sent: run again")
        self.close_everything(position)

    def require_own(self) -> int:
        """Return the position; raise CannotAskError if it does not become the one that our fills make."""
        end = monotonic() + SHOWN_WITHIN_S
        while (position := self.read()) != (opened := self.sum_opened(self._own.search_all())):
            if monotonic() > end:
                raise CannotAskError(
                    f"the position in {self._context.contract_id} is {position:+}, and our fills make {opened:+}: let "
                    "nothing else trade there, and run again"
                )
            self._listen(LOOK_EVERY_S)
        return position

    def find_own_part(self, position: int, opened: int) -> int:
        """Return how much of a position is the run's, whose fills make `opened`.

        A position that an order of closeContract may have opened, because it filled after another order had closed what
        it was sent for, is the run's too.
        """
        lowest = opened + sum(change for change in self._closing if change < 0)
        highest = opened + sum(change for change in self._closing if change > 0)
        return max(min(position, max(highest, 0)), min(lowest, 0))

    def sum_opened(self, rows: list[Row]) -> int:
        """Return the net quantity that our fills have opened and no closeContract has closed, by the orders' rows."""
        return self._own.sum_filled(rows) - self._net_when_flat

    def close_everything(self, position: int) -> None:
        """Send closeContract and wait as `close` does, without asking which fills opened the position."""
        reply, answer = self.send_close(position)
        end = monotonic() + SHOWN_WITHIN_S
        while self.read() or not self.note_flat():
            if monotonic() > end:
                is_accepted = reply is not None and reply.is_success
                message = (
                    f"the position is not closed for certain {SHOWN_WITHIN_S:.0f} s after closeContract ({answer})"
                )
                is_late = is_accepted and self.read() != 0
                raise CannotAskError(f"{message}: run again later") if is_late else VenueDownError(message)
            self._listen(LOOK_EVERY_S)

    def send_close(self, position: int) -> tuple[GatewayReply | None, str]:
        """Send closeContract; return its answer, None without one, and that in words. Raise RefusedError if refused.

        Its order closes `position`, on the other side; whatever closes that first, it is still expected there.
        """
        body = {"accountId": self._context.account_id, "contractId": self._context.contract_id}
        before = self._closing

        def count_sent(change: int) -> None:  # before the answer: a signal may end the wait for it
            self._closing = [*before, -position] if change > 0 else before

        try:
            reply = self._rest.send("/api/Position/closeContract", body, count_sent=count_sent)
        except VenueDownError as error:
            return None, str(error)
        if is_refusal(reply):
            self._closing = before
            raise RefusedError(f"closeContract answered {reply.describe()}, expected a success")
        return reply, reply.describe()

    def note_flat(self) -> bool:
        """Remember that the position is closed, if not by our orders then by those of closeContract.

        Return False if it is open, if an order of ours filled while we looked (its fill may have come before the look
        at the position or after it), or if an order of an earlier closeContract may be at work still.
        """
        filled = self._own.sum_filled(self._own.search_all())
        if self.read():
            return False
        rows = self._own.search_all()
        sides = {SELL if change < 0 else BUY for change in self._closing}
        if filled != self._own.sum_filled(rows) or any(row["side"] in sides for row in self._own.find_external(rows)):
            return False
        self._closing, self._net_when_flat = [], filled
        return True
