"""What may be changed at the venue: orders placed, modified and cancelled, positions closed; each is sent once."""

from shared.errors import AmbiguousOutcomeError
from shared.gateway.orders.order_request import OrderChange, OrderRequest
from shared.gateway.rest.requester import Requester

# Codes that say it was not done; after any other nobody knows. Source: venue.md sections 5.6 to 5.8, 5.14 and 5.15.
_NOT_PLACED = {1, 2, 3, 4, 5, 8, 9, 10}
_NOT_MODIFIED = {1, 2, 3, 6, 7}
_NOT_CANCELLED = {1, 2, 3, 6}
_NOT_CLOSED = {1, 2, 3, 4, 5, 8}
_NOT_CLOSED_IN_PART = {1, 2, 3, 4, 5, 6, 9}


class Mutations:
    """The orders of a client.

    Every method may raise OrderRejectedError when it was certainly refused, NotSentError when it certainly did not
    reach the venue, AmbiguousOutcomeError when nobody knows.
    """

    def __init__(self, asker: Requester) -> None:
        self._asker = asker

    def place(self, order_request: OrderRequest) -> int:
        """Place an order, with its bracket if it has one; return the venue's order id.

        Raise TagInUseError when the tag is known there; a rejected order has used up its tag too.
        """
        answer = self._asker.mutate(
            "/api/Order/place", order_request.body(), _NOT_PLACED, is_entry=order_request.is_entry
        )
        order_id = answer.get("orderId")
        if not isinstance(order_id, int):
            raise AmbiguousOutcomeError(f"the venue accepted order {order_request.tag} and named no id")
        return order_id

    def modify(self, change: OrderChange) -> None:
        """Ask for a change of a working order; the venue shows nothing of it, so look at the order afterwards."""
        self._asker.mutate("/api/Order/modify", change.body(), _NOT_MODIFIED)

    def cancel(self, account_id: int, order_id: int) -> None:
        """Ask for an order's cancel; accepted is not cancelled, a fill may win the race."""
        self._asker.mutate("/api/Order/cancel", {"accountId": account_id, "orderId": order_id}, _NOT_CANCELLED)

    def close_contract(self, account_id: int, contract_id: str) -> None:
        """Ask for a market order that closes the whole position; legs of its bracket may stay behind."""
        body = {"accountId": account_id, "contractId": contract_id}
        self._asker.mutate("/api/Position/closeContract", body, _NOT_CLOSED)

    def close_part(self, account_id: int, contract_id: str, quantity: int) -> None:
        """Ask for a market order that closes `quantity` contracts of the position; its legs keep their size."""
        body = {"accountId": account_id, "contractId": contract_id, "size": quantity}
        self._asker.mutate("/api/Position/partialCloseContract", body, _NOT_CLOSED_IN_PART)
