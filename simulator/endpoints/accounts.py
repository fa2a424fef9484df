"""Account/search."""

from simulator import request_bodies, wire
from simulator.venue.user_view import UserView


def search(user_view: UserView, body: request_bodies.AccountSearchBody) -> bytes:
    """Answer with the user's accounts, or only those that may trade."""
    user_view.now()
    found = [row for row in user_view.accounts() if row.may_trade or not body.only_active_accounts]
    return wire.encode_envelope(accounts=[wire.account_model(row) for row in found])
