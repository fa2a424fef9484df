"""The mutations of the client: place, modify and cancel orders, close positions; each is sent once."""

from shared.errors import AmbiguousOutcomeError
from shared.gateway.orders.order_request import OrderChange, OrderRequest
from shared.gateway.rest.requester import Requester

# Error codes after which the mutation was certainly not done; after any other the outcome is in doubt.
# Source: venue.md sections 5.6 to 5.8, 5.14 and 5.15.
_NOT_PLACED = {1, 2, 3, 4, 5, 8, 9, 10}
_NOT_MODIFIED = {1, 2, 3, 6, 7}
_NOT_CANCELLED = {1, 2, 3, 6}
_NOT_CLOSED = {1, 2, 3, 4, 5, 8}


class Mutations:
    """The part of the client that changes orders and positions.

    Every method may raise OrderRejectedError when the venue certainly refused the request, NotSentError when it
    certainly did not reach the venue, AmbiguousOutcomeError when the outcome is in doubt.
    """

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def place(self, order_request: OrderRequest) -> int:
        """Place an order, with its bracket if it has one; return the venue's order id.

        Raise TagInUseError when the venue knows the tag already; a rejected order uses up its tag too.
        """
        answer = self._requester.mutate(
            "/api/Order/place",
            order_request.body(),
            _NOT_PLACED,
            is_entry=order_request.is_entry,
            is_exit=not order_request.is_entry,
        )
        order_id = answer.get("orderId")
        if not isinstance(order_id, int):
            raise AmbiguousOutcomeError(f"the venue accepted order {order_request.tag} and returned no order id")
        return order_id

    def modify(self, change: OrderChange) -> None:
        """Request a change of a working order; the answer does not confirm it, so read the order afterwards."""
        self._requester.mutate("/api/Order/modify", change.body(), _NOT_MODIFIED)

    def cancel(self, account_id: int, order_id: int) -> None:
        """Request the cancel of an order; the order may still fill after the venue accepts the request."""
        body = {"accountId": account_id, "orderId": order_id}
        self._requester.mutate("/api/Order/cancel", body, _NOT_CANCELLED, is_exit=True)

    def close_contract(self, account_id: int, contract_id: str) -> None:
        """Close the whole position with a market order; legs of its bracket may stay working."""
        body = {"accountId": account_id, "contractId": contract_id}
        self._requester.mutate("/api/Position/closeContract", body, _NOT_CLOSED, is_exit=True)
