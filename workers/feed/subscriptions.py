"""The accounts and contracts the feed subscribes to, read from Postgres, and remembered for when it does not answer."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import MarketClock
from shared.db.accounts import accounts, halts
from shared.db.market_data import contracts
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.errors import RetryableError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Subscriptions:
    """The tradable accounts, and the contracts that are tracked or held.

    Methods raise RetryableError if Postgres has not answered yet.
    """

    def __init__(self, engine: Engine, clock: MarketClock) -> None:
        self._engine = engine
        self._clock = clock
        self._accounts: list[int] | None = None
        self._contracts: list[Contract] | None = None

    async def accounts(self) -> Sequence[int]:
        """Return the accounts that may trade."""
        self._accounts = await self._read_or_last(
            lambda connection: [one.id for one in accounts.list_all(connection) if one.can_trade], self._accounts
        )
        return self._accounts

    async def contracts(self) -> dict[str, bool]:
        """Return the contracts that are tracked or held, each with whether it is in session now."""
        self._contracts = await self._read_or_last(contracts.list_watched, self._contracts)
        now = self._clock.now()
        return {one.id: assumed_calendar_of(ROOTS[one.root].group).is_open(now) for one in self._contracts}

    def contract(self, contract_id: str) -> Contract | None:
        """Return a contract that was tracked or held at the last read, or None."""
        return next((one for one in self._contracts or () if one.id == contract_id), None)

    async def halt(self, reason: str) -> None:
        """Halt entries of all accounts; if Postgres does not answer, only log it."""

        def write() -> None:
            with self._engine.begin() as connection:
                halts.halt(connection, reason)

        try:
            await asyncio.to_thread(write)
        except SQLAlchemyError as error:
            log.critical("cannot halt entries, Postgres does not answer: %s", type(error).__name__)

    async def _read_or_last(self, read: Callable[[Connection], T], last: T | None) -> T:
        def ask() -> T:
            with self._engine.connect() as connection:
                return read(connection)

        try:
            return await asyncio.to_thread(ask)
        except SQLAlchemyError as error:
            if last is None:
                raise RetryableError(
                    f"cannot read the subscriptions, Postgres does not answer: {type(error).__name__}"
                ) from None
            log.warning("Postgres does not answer, the feed keeps its subscriptions: %s", type(error).__name__)
            return last
