"""A drain of the spool stores closes of all first over all files, and no record keeps another one waiting."""

import asyncio
import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from web.receiver import spool, spool_drain
from web.receiver.deadline import DatabaseDownError
from web.receiver.spool import Spool, SpoolFile
from web.receiver.spool_drain import RejectedRecord, SpoolDrain


@dataclass(frozen=True)
class TextRecord:
    """A record such as `7 exit`."""

    text: str

    @property
    def id(self) -> UUID:
        return UUID(int=int(self.text.split()[0]))

    @property
    def comes_first(self) -> bool:
        return self.text.endswith("exit")

    def encode(self) -> bytes:
        return self.text.encode()


@dataclass
class Store:
    """A store of records that is late for some and refuses others."""

    late: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    is_away: bool = False
    stored: list[str] = field(default_factory=list)
    kept: list[tuple[str, list[str]]] = field(default_factory=list)
    calls: int = 0

    async def write(self, batch: Sequence[TextRecord]) -> str | None:
        self.calls += 1
        texts = [one.text for one in batch]
        if self.is_away or self.late & set(texts):
            raise DatabaseDownError("late")
        if self.refused & set(texts):
            return "it is refused"
        self.stored += [text for text in texts if text not in self.stored]
        return None

    async def ping(self) -> None:
        if self.is_away:
            raise DatabaseDownError("away")

    async def report(self, file: SpoolFile, rejected: Sequence[RejectedRecord[TextRecord]]) -> None:
        self.kept.append((file.kept_path.suffix, [one.record.text for one in rejected]))


def open_spool(folder: Path) -> "Spool[TextRecord]":
    return Spool(folder, TextRecord.encode, lambda line: TextRecord(line.decode()))


def open_drain(opened: "Spool[TextRecord]", store: Store) -> "SpoolDrain[TextRecord]":
    return SpoolDrain(opened, store=store.write, ping=store.ping, report=store.report)


def write_files(folder: Path, *files: Sequence[str]) -> None:
    for number, lines in enumerate(files):
        encoded = [base64.b64encode(line.encode()) + b"\n" for line in lines]
        (folder / f"{number}.spool").write_bytes(b"".join(encoded))


def test_the_closes_of_all_of_every_file_are_stored_before_the_first_entry(tmp_path: Path) -> None:
    write_files(tmp_path, ["1 entry", "2 exit"], ["3 entry", "4 exit"], ["5 exit", "6 entry"])
    store = Store()

    asyncio.run(open_drain(open_spool(tmp_path), store).run())

    assert ["2 exit", "4 exit", "5 exit", "1 entry", "3 entry", "6 entry"] == store.stored
    assert [] == list(tmp_path.iterdir())


def test_an_exit_that_is_added_meanwhile_is_stored_before_the_entries_of_the_next_file(tmp_path: Path) -> None:
    write_files(tmp_path, ["1 entry"], ["2 entry"])
    opened = open_spool(tmp_path)

    class Adding(Store):
        async def write(self, batch: Sequence[TextRecord]) -> str | None:
            if [TextRecord("1 entry")] == batch:
                await opened.add(TextRecord("3 exit"))
            return await super().write(batch)

    store = Adding()
    asyncio.run(open_drain(opened, store).run())

    assert ["1 entry", "3 exit", "2 entry"] == store.stored
    assert opened.is_empty


def test_a_backlog_is_read_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_MOST_BYTES_OF_FILE", 1)
    in_memory: list[int] = []

    class Watched(Spool[TextRecord]):
        async def read(self, file: SpoolFile) -> Sequence[TextRecord]:
            records = await super().read(file)
            in_memory.append(len(records))
            return records

    async def run() -> None:
        opened = Watched(tmp_path, TextRecord.encode, lambda line: TextRecord(line.decode()))
        for number in range(20):
            await opened.add(TextRecord(f"{number} entry"))
        store = Store()
        await open_drain(opened, store).run()
        assert [f"{number} entry" for number in range(20)] == store.stored

    asyncio.run(run())
    assert {1} == set(in_memory)


@pytest.mark.parametrize("late", ["2 entry", "3 exit"])
def test_a_record_that_is_late_keeps_no_other_one_waiting_and_is_not_removed(tmp_path: Path, late: str) -> None:
    write_files(tmp_path, ["1 entry", "2 entry", "3 exit"], ["4 entry", "5 exit"])
    store, opened = Store(late={late}), open_spool(tmp_path)
    others = {"1 entry", "2 entry", "3 exit", "4 entry", "5 exit"} - {late}

    asyncio.run(open_drain(opened, store).run())
    assert others == set(store.stored)
    assert ["0.spool"] == [path.name for path in tmp_path.iterdir()]

    store.late.clear()
    asyncio.run(open_drain(opened, store).run())
    assert others | {late} == set(store.stored)
    assert opened.is_empty


def test_a_record_that_postgres_refuses_is_reported_once_and_its_file_kept(tmp_path: Path) -> None:
    write_files(tmp_path, ["1 exit", "2 entry"], ["3 entry"])
    store, opened = Store(refused={"1 exit"}), open_spool(tmp_path)

    asyncio.run(open_drain(opened, store).run())

    assert ["2 entry", "3 entry"] == store.stored
    assert [(".rejected", ["1 exit"])] == store.kept
    assert ["0.rejected"] == [path.name for path in tmp_path.iterdir()]
    assert opened.is_empty


def test_a_file_of_which_a_line_cannot_be_read_is_reported_and_kept(tmp_path: Path) -> None:
    write_files(tmp_path, ["1 entry"])
    with (tmp_path / "0.spool").open("ab") as file:
        file.write(b"no base64\n")
    store = Store()

    asyncio.run(open_drain(open_spool(tmp_path), store).run())

    assert (["1 entry"], [(".rejected", [])]) == (store.stored, store.kept)


def test_a_file_that_cannot_be_read_keeps_no_other_one_waiting_and_is_stored_after_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(tmp_path, ["1 entry", "2 exit"], ["3 entry", "4 exit"])
    store, opened = Store(), open_spool(tmp_path)
    unread, pread = opened._closed[0].descriptor, os.pread  # noqa: SLF001

    def fail(descriptor: int, size: int, offset: int) -> bytes:
        if descriptor == unread:
            raise OSError("the disk fails")
        return pread(descriptor, size, offset)

    async def run() -> None:
        drain = open_drain(opened, store)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", fail)
            for _ in range(3):
                await opened.retry()
                await drain.run()
                assert opened.is_empty
        assert (["4 exit", "3 entry"], 1) == (store.stored, opened.aside_count)
        await opened.retry()
        await drain.run()

    asyncio.run(run())
    assert ["4 exit", "3 entry", "2 exit", "1 entry"] == store.stored
    assert [] == list(tmp_path.iterdir())
    assert 1 == caplog.text.count("the disk fails")


def test_a_file_that_cannot_be_read_a_second_time_is_stored_whole_after_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, ["1 entry", "2 exit"])
    store, opened, pread, calls = Store(), open_spool(tmp_path), os.pread, [0]

    def fail_second(descriptor: int, size: int, offset: int) -> bytes:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError("the disk fails")
        return pread(descriptor, size, offset)

    async def run() -> None:
        monkeypatch.setattr(os, "pread", fail_second)
        drain = open_drain(opened, store)
        await drain.run()
        assert (["2 exit"], 1) == (store.stored, opened.aside_count)
        await opened.retry()
        await drain.run()

    asyncio.run(run())
    assert (["2 exit", "1 entry"], []) == (store.stored, list(tmp_path.iterdir()))


def test_a_file_that_cannot_be_removed_is_stored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, ["1 entry"], ["2 entry"])
    store, opened = Store(), open_spool(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError("the disk is read-only")

    async def run() -> None:
        drain = open_drain(opened, store)
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", refuse)
            for _ in range(3):
                await opened.retry()
                await drain.run()
        assert (2, True) == (store.calls, opened.is_empty)
        await opened.retry()

    asyncio.run(run())
    assert [] == list(tmp_path.iterdir())


def test_while_postgres_is_away_nothing_is_tried_one_by_one(tmp_path: Path) -> None:
    write_files(tmp_path, [f"{number} entry" for number in range(5)])
    store = Store(is_away=True)

    with pytest.raises(DatabaseDownError):
        asyncio.run(open_drain(open_spool(tmp_path), store).run())

    assert 1 == store.calls
    assert ["0.spool"] == [path.name for path in tmp_path.iterdir()]


def test_a_postgres_that_is_late_for_every_record_is_not_asked_for_each(tmp_path: Path) -> None:
    lines = [f"{number} entry" for number in range(100)]
    write_files(tmp_path, lines)
    store = Store(late=set(lines))

    with pytest.raises(DatabaseDownError):
        asyncio.run(open_drain(open_spool(tmp_path), store).run())

    assert 1 + spool_drain._MOST_LATE_IN_A_ROW == store.calls  # noqa: SLF001
