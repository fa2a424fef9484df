"""The spool keeps every confirmed record, and only those, whatever ends the process that wrote them."""

import asyncio
import base64
import os
from pathlib import Path

import pytest

from web.receiver.spool import Spool


def open_spool(folder: Path) -> "Spool[str]":
    return Spool(folder, str.encode, decode)


def decode(line: bytes) -> str:
    if line == b"no record":
        raise ValueError("it is no record")
    return line.decode()


async def add_all(spool: "Spool[str]", *records: str) -> None:
    await asyncio.gather(*map(spool.add, records))


def test_records_come_back_in_their_order_until_they_are_discarded(tmp_path: Path) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await add_all(spool, "one", "two\nlines", "three")
        assert ["one", "two\nlines", "three"] == await spool.read()
        await spool.add("later")
        assert ["one", "two\nlines", "three", "later"] == await spool.read()
        await spool.discard()
        assert spool.is_empty

    asyncio.run(run())
    assert [] == list(tmp_path.iterdir())


def test_what_is_added_after_a_read_is_not_discarded_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("read")
        await spool.read()
        await spool.add("unread")
        await spool.discard()
        assert ["unread"] == await spool.read()

    asyncio.run(run())


def test_a_new_process_reads_what_an_ended_one_has_left_and_leaves_that_of_a_living_one(tmp_path: Path) -> None:
    living = open_spool(tmp_path)
    asyncio.run(living.add("of a living one"))
    left = tmp_path / "0.spool"
    left.write_bytes(base64.b64encode(b"left") + b"\n" + base64.b64encode(b"torn")[:5])

    assert ["left"] == asyncio.run(open_spool(tmp_path).read())


def test_a_file_with_a_line_that_is_no_record_is_kept(tmp_path: Path) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await add_all(spool, "good", "no record")
        assert ["good"] == await spool.read()
        await spool.discard()
        assert spool.is_empty

    asyncio.run(run())
    assert [".rejected"] == [path.suffix for path in tmp_path.iterdir()]


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
        assert ["kept", "also kept"] == await spool.read()

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
        assert [] == await spool.read()
        await spool.discard()
        assert spool.is_empty

    asyncio.run(run())
    assert [] == list(tmp_path.iterdir())


def test_what_cannot_be_stored_is_kept_for_a_person(tmp_path: Path) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("unfit")
        await spool.read()
        await spool.discard(keep_files=True)
        assert spool.is_empty

    asyncio.run(run())
    assert [".rejected"] == [path.suffix for path in tmp_path.iterdir()]


def fail(_: int) -> None:
    raise OSError("the disk is full")
