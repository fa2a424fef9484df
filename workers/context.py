"""The dependencies of a task: connections, clocks and the ledger, one set per worker process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from shared.config import Settings
from shared.db.accounts import halts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import may_act_for, may_guard
from shared.db.engine import CONNECTION_ERRORS, autocommit, is_rolled_back
from shared.errors import HaltError, JobOutcomeUnknownError, TickworkError
from shared.ledger import transitions
from shared.ledger.claims import ClaimedJob
from shared.ledger.envelope import WakeUp
from shared.ledger.ledger import Ledger, Transaction
from workers import cancellation

if TYPE_CHECKING:
    from shared.bars.bar_reader import BarReader
    from shared.clock import MarketClock
    from shared.gateway.client import GatewayClient
    from shared.hot.feed_health import UserHubState
    from shared.hot.quotes import QuoteReader
    from workers.call_log import CallBuffer


class JobCancelledError(TickworkError):
    """A person asked to cancel the job while it ran."""


@dataclass(slots=True)
class Context:
    """The dependencies of one worker process, and the job it runs now."""

    settings: Settings
    ledger: Ledger
    clock: MarketClock
    gateway: GatewayClient
    quotes: QuoteReader
    bars: BarReader
    user_hub: UserHubState
    calls: CallBuffer
    random: Random
    job: ClaimedJob
    within: Connection | None = field(default=None)  # the transaction of a batch, if the job is one of many
    handoff: object = field(default=None)  # from the previous job, if this process ran it
    follow_up: ClaimedJob | None = field(default=None)
    next_handoff: object = field(default=None)  # to the follow-up
    wake_ups: list[WakeUp] = field(default_factory=list)  # to publish when the batch has committed
    is_finished: bool = field(default=False)

    @property
    def market_now(self) -> datetime:
        """The market's time now."""
        return self.clock.now()

    def may_act_for(self, account: AccountRow) -> bool:
        """As installations.may_act_for."""
        return may_act_for(account, is_simulated=self.settings.venue.is_simulator)

    def may_guard(self, account: AccountRow) -> bool:
        """As installations.may_guard."""
        return may_guard(account, self.market_now, is_simulated=self.settings.venue.is_simulator)

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Hold a connection on which each statement is a transaction of its own, mostly for reads."""
        with autocommit(self.ledger.engine) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit together: SQL, the jobs that this one enqueues, and this one's end if the transaction finishes it.

        In a batch this is a savepoint, and the whole batch commits later. Raise JobOutcomeUnknownError when a commit
        that finishes the job loses the database, and JobCancelledError when a person asked to cancel it, which is never
        so while a job may send an order.
        """
        if self.is_finished:
            raise RuntimeError(f"{self.job.name} {self.job.id} has ended: no transaction of it may follow")
        self.raise_if_cancelled()
        if self.within is None:
            transaction: Transaction | None = None
            try:
                with self.ledger.transaction(parent=self.job) as transaction:
                    yield transaction
            except CONNECTION_ERRORS as error:
                if transaction is not None and transaction.has_finished_job and not is_rolled_back(error):
                    raise JobOutcomeUnknownError(
                        f"it is not known whether {self.job.name} {self.job.id} ended"
                    ) from error
                raise
        else:
            with self.within.begin_nested():
                transaction = Transaction(self.within, self.job)
                yield transaction
                transaction.write_end(commits=False)
            self.wake_ups += transaction.wake_ups
        self.is_finished = transaction.has_finished_job
        self.follow_up, self.next_handoff = transaction.follow_up, transaction.handoff

    def raise_if_cancelled(self) -> None:
        """Raise JobCancelledError if a person asked to cancel this job; for jobs of many steps."""
        if cancellation.is_requested() and transitions.is_cancelled(self.ledger.connection.open(), self.job):
            raise JobCancelledError(transitions.CANCELLED)

    def lease_left(self) -> timedelta:
        """The time for which this process certainly still holds the job's lease; zero or less when it does not."""
        return transitions.lease_left(self.ledger.connection.open(), self.job)

    def halt(self, error: HaltError) -> None:
        """Halt entries on the account that the error names, or on every account, until a person resumes them."""
        with self.ledger.engine.begin() as connection:
            halts.halt(connection, transitions.clean_error(f"{type(error).__name__}: {error}") or "", error.account_id)
