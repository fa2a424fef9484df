"""What a task may use: connections, clocks and the ledger, passed in, one set per worker process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.engine import CONNECTION_ERRORS, autocommit
from shared.errors import HaltError, JobOutcomeUnknownError
from shared.ledger import transitions
from shared.ledger.envelope import WakeUp
from shared.ledger.ledger import Ledger, Transaction
from shared.ledger.transitions import ClaimedJob

if TYPE_CHECKING:
    from shared.clock import MarketClock
    from shared.gateway.client import GatewayClient
    from shared.hot.quotes import QuoteReader
    from workers.call_log import CallBuffer


@dataclass(slots=True)
class Context:
    """The tools of one worker process, and the job it runs now."""

    settings: Settings
    ledger: Ledger
    clock: MarketClock
    gateway: GatewayClient
    quotes: QuoteReader
    calls: CallBuffer
    random: Random
    job: ClaimedJob
    within: Connection | None = field(default=None)  # the transaction of a batch, if the job is one of many
    handoff: object = field(default=None)  # by the job before, if this very process ran it
    follow_up: ClaimedJob | None = field(default=None)
    next_handoff: object = field(default=None)  # to the follow-up
    wake_ups: list[WakeUp] = field(default_factory=list)  # to publish when the batch has committed
    is_finished: bool = field(default=False)

    @property
    def market_now(self) -> datetime:
        """The market's time now."""
        return self.clock.now()

    def may_act_for(self, account: AccountRow) -> bool:
        """Whether anything may be sent for an account by itself: one whose live orders were never on is left alone."""
        return self.settings.venue.is_simulator or account.live_since_at is not None

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Connect so that each statement is a transaction by itself, for questions most of all."""
        with autocommit(self.ledger.engine) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit together: SQL, jobs caused by this one, and this one's end if the transaction says so.

        In a batch this is a savepoint, and the commit comes with that of the whole batch.
        """
        if self.within is None:
            transaction: Transaction | None = None
            try:
                with self.ledger.transaction(cause=self.job) as transaction:
                    yield transaction
            except CONNECTION_ERRORS as error:
                if transaction is not None and transaction.has_finished_job:
                    raise JobOutcomeUnknownError(f"whether {self.job.name} {self.job.id} ended is not known") from error
                raise
        else:
            with self.within.begin_nested():
                transaction = Transaction(self.within, self.job)
                yield transaction
            self.wake_ups += transaction.wake_ups
        self.is_finished = transaction.has_finished_job
        self.follow_up, self.next_handoff = transaction.follow_up, transaction.handoff

    def lease_left(self) -> timedelta:
        """For how long this job is surely still ours; zero or less when it is not."""
        return transitions.lease_left(self.ledger.line.open(), self.job)

    def halt(self, error: HaltError) -> None:
        """Stop new entries on the account that the error names, or on every one, until a person resumes them."""
        with self.ledger.engine.begin() as connection:
            accounts.halt(connection, f"{type(error).__name__}: {error}", error.account_id)
