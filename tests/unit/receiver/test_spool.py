"""The spool keeps every confirmed record, and only those, whatever ends the process that wrote them."""

import asyncio
import base64
import os
import threading
from pathlib import Path

import pytest

from web.receiver import spool as spool_module
from web.receiver.spool import Spool


def open_spool(folder: Path) -> "Spool[str]":
    return Spool(folder, str.encode, decode)


def decode(line: bytes) -> str:
    if line == b"no record":
        raise ValueError("it is no record")
    return line.decode()


async def add_all(spool: "Spool[str]", *records: str) -> None:
    await asyncio.gather(*map(spool.add, records))


async def read_all(spool: "Spool[str]") -> list[str]:
    return [record for file in await spool.list_files() for record in await spool.read(file)]


async def remove_all(spool: "Spool[str]") -> None:
    for file in await spool.list_files():
        await spool.remove(file)


def test_records_come_back_in_their_order_until_they_are_removed(tmp_path: Path) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await add_all(spool, "one", "two\nlines", "three")
        assert ["one", "two\nlines", "three"] == await read_all(spool)
        await spool.add("later")
        assert ["one", "two\nlines", "three", "later"] == await read_all(spool)
        await remove_all(spool)
        assert spool.is_empty

    asyncio.run(run())
    assert [] == list(tmp_path.iterdir())


def test_what_is_added_after_a_read_is_not_removed_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("read")
        (file,) = await spool.list_files()
        await spool.read(file)
        await spool.add("unread")
        await spool.remove(file)
        assert ["unread"] == await read_all(spool)

    asyncio.run(run())


def test_a_record_is_added_while_a_file_is_read(tmp_path: Path) -> None:
    is_decoding, may_decode = threading.Event(), threading.Event()

    def decode_late(line: bytes) -> str:
        is_decoding.set()
        assert may_decode.wait(60)
        return line.decode()

    async def run() -> None:
        spool = Spool(tmp_path, str.encode, decode_late)
        await spool.add("before")
        (file,) = await spool.list_files()
        reading = asyncio.create_task(spool.read(file))
        assert await asyncio.to_thread(is_decoding.wait, 60)
        try:
            async with asyncio.timeout(30):
                await spool.add("meanwhile")
        finally:
            may_decode.set()
        assert ["before"] == await reading
        assert ["before", "meanwhile"] == await read_all(spool)

    asyncio.run(run())


def test_a_full_file_is_closed_so_that_a_backlog_is_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_MOST_BYTES_OF_FILE", 20)

    async def run() -> None:
        spool = open_spool(tmp_path)
        for number in range(10):
            await spool.add(f"record {number}")
        files = await spool.list_files()
        assert [2, 2, 2, 2, 2] == [len(await spool.read(file)) for file in files]
        assert [f"record {number}" for number in range(10)] == await read_all(spool)

    asyncio.run(run())


def test_a_full_spool_takes_no_record_until_one_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("first")
        assert spool.is_writable()
        monkeypatch.setattr(spool_module, "_MOST_BYTES", 5)
        assert not spool.is_writable()
        with pytest.raises(OSError, match="it is full"):
            await spool.add("second")
        await remove_all(spool)
        assert spool.is_writable()
        await spool.add("third")
        assert ["third"] == await read_all(spool)

    asyncio.run(run())


def test_files_of_an_ended_process_fill_the_spool_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0.spool").write_bytes(base64.b64encode(b"left") + b"\n")
    monkeypatch.setattr(spool_module, "_MOST_BYTES", 5)

    assert not open_spool(tmp_path).is_writable()


def test_a_folder_that_is_gone_takes_no_record(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = open_spool(folder)
    folder.rmdir()

    assert not spool.is_writable()


def test_a_new_process_reads_what_an_ended_one_has_left_and_leaves_that_of_a_living_one(tmp_path: Path) -> None:
    living = open_spool(tmp_path)
    asyncio.run(living.add("of a living one"))
    left = tmp_path / "0.spool"
    left.write_bytes(base64.b64encode(b"left") + b"\n" + base64.b64encode(b"torn")[:5])

    assert ["left"] == asyncio.run(read_all(open_spool(tmp_path)))


def test_a_file_with_a_line_that_is_no_record_is_told_from_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await add_all(spool, "good", "no record")
        (file,) = await spool.list_files()
        assert ["good"] == await spool.read(file)
        assert ["good"] == await spool.read(file)
        assert not file.is_readable
        await spool.keep(file)
        assert spool.is_empty

    asyncio.run(run())
    assert [".rejected"] == [path.suffix for path in tmp_path.iterdir()]
    assert 1 == caplog.text.count("is no alert: it is no record")  # however often it is read


def test_a_failing_disk_is_an_error_and_loses_no_confirmed_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("kept")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="the disk is full"):
                await spool.add("lost")
        await spool.add("also kept")
        assert ["kept", "also kept"] == await read_all(spool)

    asyncio.run(run())


def test_a_file_that_a_person_has_removed_waits_no_more(tmp_path: Path) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("one")
        (first,) = await spool.list_files()
        await spool.add("two")
        (_, second) = await spool.list_files()
        for file in (first, second):
            file.path.unlink()
        await spool.remove(first)
        await spool.keep(second)
        assert spool.is_empty

    asyncio.run(run())


def test_a_first_write_that_fails_leaves_a_file_that_a_read_clears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="the disk is full"):
                await spool.add("lost")
        assert [] == await read_all(spool)
        await remove_all(spool)
        assert spool.is_empty

    asyncio.run(run())
    assert [] == list(tmp_path.iterdir())


def test_what_cannot_be_stored_is_kept_for_a_person(tmp_path: Path) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("unfit")
        (file,) = await spool.list_files()
        await spool.read(file)
        await spool.keep(file)
        assert spool.is_empty

    asyncio.run(run())
    assert [".rejected"] == [path.suffix for path in tmp_path.iterdir()]


def fail(_: int) -> None:
    raise OSError("the disk is full")
