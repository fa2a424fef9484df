"""The view of one user on the venue: accounts of other users do not exist in it."""

from dataclasses import dataclass
from datetime import datetime

from simulator.venue.records import AccountRecord
from simulator.venue.state import VenueState
from simulator.venue.venue import Venue


@dataclass(frozen=True, slots=True)
class UserView:
    """The venue for one request; `user` is the user of its token, in lower case."""

    venue: Venue
    user: str
    owner: str  # the user of the settings, who owns the accounts without a user

    @property
    def state(self) -> VenueState:
        """The rows of all users: check `account` before reading them."""
        return self.venue.state

    def now(self) -> datetime:
        """Match the due orders and return the market time."""
        return self.venue.now()

    def account(self, account_id: int) -> AccountRecord | None:
        """Return an account of the user, or None."""
        account = self.state.accounts.get(account_id)
        return account if account and (account.user or self.owner) == self.user else None

    def accounts(self) -> list[AccountRecord]:
        """Return the user's accounts, oldest first."""
        return [account for id_ in self.state.accounts if (account := self.account(id_))]
