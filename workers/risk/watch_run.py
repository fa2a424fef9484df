"""One run of the watch: the session that holds the lease, what it reads from Redis, and its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Unpack
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from shared.clock import MarketClock, machine_now
from shared.config import Settings
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import may_guard
from shared.db.engine import driver, suppress_lock_timeout
from shared.errors import LeaseLostError
from shared.hot.positions import PositionReader
from shared.hot.quotes import QuoteReader
from shared.ids import new_id
from shared.ledger.enqueue import Enqueued, EnqueueOptions
from shared.ledger.job import Job
from shared.ledger.ledger import Transaction

LONGEST_RUN = timedelta(seconds=30)  # the prices and rows that a run has read are too old to act on after this


class RelayedTransaction(Transaction):
    """A transaction whose jobs the relay publishes: the monitor needs no broker. They share the run's correlation."""

    def __init__(self, connection: Connection, correlation_id: UUID) -> None:
        super().__init__(connection)
        self._correlation_id = correlation_id

    def enqueue(self, request: Job, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """As Transaction.enqueue, but for the relay."""
        options.setdefault("correlation_id", self._correlation_id)
        options["publish_on_commit"] = False
        return super().enqueue(request, **options)


@dataclass(frozen=True, slots=True)
class WatchRun:
    """One run of the watch on `session`, the only one that holds the lease: none of it goes on in another session."""

    settings: Settings
    clock: MarketClock
    quotes: QuoteReader
    positions: PositionReader
    connection: Connection
    session: psycopg.Connection[Any]  # below `connection`, which would replace a lost one
    id: UUID = field(default_factory=new_id)  # the correlation id of what it causes
    started_at: datetime = field(default_factory=machine_now)

    @property
    def market_now(self) -> datetime:
        """The market's time now."""
        return self.clock.now()

    @property
    def is_lost(self) -> bool:
        """Whether the session has ended, and the lease with it."""
        return self.session.closed

    def may_guard(self, account: AccountRow) -> bool:
        """Whether the watch may protect and close positions of an account."""
        return may_guard(account, self.market_now, is_simulated=self.settings.venue.is_simulator)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Hold a transaction in the session of the lease; raise LeaseLostError if that has ended or the run is old."""
        if self.is_lost:
            raise LeaseLostError("the session that held the lease of the watch has ended")
        if machine_now() - self.started_at > LONGEST_RUN:
            raise LeaseLostError(f"a run of the watch that began more than {LONGEST_RUN.seconds} s ago acts no more")
        with self.connection.begin():
            if driver(self.connection) is not self.session:
                raise LeaseLostError("the session that held the lease of the watch was replaced")
            yield self.connection

    @contextmanager
    def transaction(self, consequence: str) -> Iterator[Transaction]:
        """Commit SQL and jobs; or nothing, with the `consequence` in the log, if another session has a lock."""
        with suppress_lock_timeout(consequence), self.begin() as connection:
            yield RelayedTransaction(connection, self.id)
