"""The venue as one user sees it: an account of somebody else is not there."""

from dataclasses import dataclass
from datetime import datetime

from simulator.venue.records import AccountRecord
from simulator.venue.state import VenueState
from simulator.venue.venue import Venue


@dataclass(frozen=True, slots=True)
class UserView:
    """What a request may look at; `user` is whom its token speaks for, in lower case."""

    venue: Venue
    user: str
    owner: str  # the user of the settings, to whom the accounts without a user belong

    @property
    def state(self) -> VenueState:
        """The rows, of all users: ask for an account here first."""
        return self.venue.state

    def now(self) -> datetime:
        """Match what is due and return the market's time."""
        return self.venue.now()

    def account(self, account_id: int) -> AccountRecord | None:
        """Return an account of the user, or None."""
        account = self.state.accounts.get(account_id)
        return account if account and (account.user or self.owner) == self.user else None

    def accounts(self) -> list[AccountRecord]:
        """Return the user's accounts, oldest first."""
        return [account for id_ in self.state.accounts if (account := self.account(id_))]
