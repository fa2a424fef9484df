"""Account/search."""

from simulator import wire
from simulator.venue.venue import Venue


def search(venue: Venue, body: wire.AccountSearch) -> bytes:
    """Answer with the accounts, or only those that may trade."""
    venue.now()
    found = [row for row in venue.book.accounts.values() if row.can_trade or not body.only_active_accounts]
    return wire.envelope(accounts=[wire.account_model(row) for row in found])
