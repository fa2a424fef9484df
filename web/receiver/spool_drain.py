"""Stores the alerts of the spool once Postgres is back: closes of all first, then the rest, file by file."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from web.receiver.deadline import DatabaseDownError
from web.receiver.spool import Spool, SpoolFile

_STORED_AT_ONCE = 200
_MOST_LATE_IN_A_ROW = 10  # then it is Postgres that is late, and not a record


class SpooledRecord(Protocol):
    """The part of a record that a drain needs."""

    @property
    def id(self) -> UUID:
        """Its identifier, by which records are ordered."""

    @property
    def comes_first(self) -> bool:
        """Whether it is stored before the others."""


Record = TypeVar("Record", bound=SpooledRecord)


@dataclass(frozen=True, slots=True)
class RejectedRecord(Generic[Record]):
    """A record that Postgres refuses, and why."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class Unstored(Generic[Record]):
    """The records that are not stored: those for which Postgres was late, and those that it refuses."""

    late: Sequence[Record]
    rejected: Sequence[RejectedRecord[Record]]

    @property
    def ids(self) -> set[UUID]:
        """The identifiers of both."""
        return {one.id for one in self.late} | {one.record.id for one in self.rejected}


class SpoolDrain(Generic[Record]):
    """Stores the records of a spool; one that is stored twice is stored once.

    `store` commits some records together and returns why Postgres refuses one of them, None once all are stored;
    `ping` returns once Postgres answers. Both raise DatabaseDownError. `report` is called with each file that is kept
    for a person, and with its rejected records.
    """

    def __init__(
        self,
        spool: Spool[Record],
        *,
        store: Callable[[Sequence[Record]], Awaitable[str | None]],
        ping: Callable[[], Awaitable[None]],
        report: Callable[[SpoolFile, Sequence[RejectedRecord[Record]]], Awaitable[None]],
    ) -> None:
        self._spool = spool
        self._store, self._ping, self._report = store, ping, report
        self._late_in_a_row = 0
        self._running = asyncio.Lock()

    async def run(self) -> None:
        """Store the records of every file, also of those that are added meanwhile; raise DatabaseDownError.

        Before the next file the records of all files that come first are stored. A record for which Postgres is late,
        perhaps because another transaction holds its key, keeps no other one waiting; its file waits for the next run.
        Nor does a file that cannot be read or taken away: the spool sets it aside.
        """
        async with self._running:
            await self._store_files()

    async def _store_files(self) -> None:
        self._late_in_a_row = 0
        seen, waiting = set[SpoolFile](), set[SpoolFile]()
        unstored_first = set[UUID]()
        while files := [file for file in await self._spool.list_files() if file not in waiting]:
            for file in files:
                if file not in seen and (records := await self._read(file)) is not None:
                    found = [one for one in records if one.comes_first]
                    unstored_first |= (await self._store_in_order(found)).ids
                    seen.add(file)
            read = [file for file in files if file in seen]
            if read and not await self._store_rest(read[0], unstored_first):
                waiting.add(read[0])

    async def _read(self, file: SpoolFile) -> Sequence[Record] | None:
        """Return the records of a file; None for one that cannot be read, which is set aside."""
        try:
            return await self._spool.read(file)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one file, the others are stored
            await self._spool.set_aside(file, str(error) or type(error).__name__)
            return None

    async def _store_rest(self, file: SpoolFile, unstored_first: set[UUID]) -> bool:
        """Store what of a file is not stored yet; return whether the file need not wait any more."""
        records = await self._read(file)
        if records is None:
            return False
        unstored = await self._store_in_order(
            [one for one in records if not one.comes_first or one.id in unstored_first]
        )
        if unstored.late:
            return False
        if unstored.rejected or not file.is_readable:
            await self._report(file, unstored.rejected)
            await self._spool.keep(file)
        else:
            await self._spool.remove(file)
        return True

    async def _store_in_order(self, records: Sequence[Record]) -> Unstored[Record]:
        """Store records as they came, many in one commit; return those that are not stored."""
        ordered = sorted(records, key=lambda one: one.id)
        late: list[Record] = []
        rejected: list[RejectedRecord[Record]] = []
        for start in range(0, len(ordered), _STORED_AT_ONCE):
            batch = ordered[start : start + _STORED_AT_ONCE]
            if await self._is_stored_together(batch):
                continue
            for one in batch:
                try:
                    reason = await self._store([one])
                except DatabaseDownError:
                    late.append(one)
                    self._late_in_a_row += 1
                    if self._late_in_a_row == _MOST_LATE_IN_A_ROW:
                        raise
                    continue
                self._late_in_a_row = 0
                if reason is not None:
                    rejected.append(RejectedRecord(one, reason))
        return Unstored(late, rejected)

    async def _is_stored_together(self, batch: Sequence[Record]) -> bool:
        """Whether a batch is stored; False if a record of it may be at fault, and not the whole of Postgres."""
        try:
            is_stored = await self._store(batch) is None
        except DatabaseDownError:
            await self._ping()
            return False
        self._late_in_a_row = 0
        return is_stored
