"""A file of the spool that a failing disk does not open, read or take away keeps no other one waiting."""

import asyncio
import base64
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.receiver.test_spool import open_spool, read_all
from web.receiver import spool as spool_module


@pytest.mark.parametrize("end", ["remove", "keep"])
def test_a_file_that_cannot_be_taken_away_is_set_aside_and_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the disk is read-only")

    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("stored")
        (file,) = await spool.list_files()
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", refuse)
            patch.setattr(os, "rename", refuse)
            await getattr(spool, end)(file)
            await spool.retry()
            assert (True, 1, []) == (spool.is_empty, spool.aside_count, await read_all(spool))
        await spool.retry()
        assert (True, 0) == (spool.is_empty, spool.aside_count)

    asyncio.run(run())
    assert [] == list(tmp_path.glob("*.spool"))
    assert 1 == caplog.text.count("the disk is read-only")


def test_a_file_that_is_set_aside_waits_for_a_retry_and_fills_the_spool_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.add("unread")
        (file,) = await spool.list_files()
        await spool.set_aside(file, "the disk fails")
        assert (True, 1, []) == (spool.is_empty, spool.aside_count, await read_all(spool))
        monkeypatch.setattr(spool_module, "_MOST_BYTES", 5)
        assert not spool.is_writable()
        await spool.retry()
        assert (False, 0, ["unread"]) == (spool.is_empty, spool.aside_count, await read_all(spool))

    asyncio.run(run())


def test_a_file_that_cannot_be_opened_is_logged_once_and_claimed_once_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link = tmp_path / "0.spool"
    link.symlink_to(tmp_path / "1.spool" / "in a file")
    (tmp_path / "1.spool").write_bytes(base64.b64encode(b"other") + b"\n")

    async def run() -> None:
        spool = open_spool(tmp_path)
        await spool.retry()
        assert ["other"] == await read_all(spool)
        link.unlink()
        link.write_bytes(base64.b64encode(b"left") + b"\n")
        await spool.retry()
        assert ["other", "left"] == await read_all(spool)

    asyncio.run(run())
    assert 1 == caplog.text.count("0.spool in the spool: its alerts wait, as it cannot be opened")


def test_a_retry_claims_what_a_receiver_has_left_that_has_ended_since(tmp_path: Path) -> None:
    ended, alive = open_spool(tmp_path), open_spool(tmp_path)
    asyncio.run(ended.add("left"))
    asyncio.run(alive.retry())
    assert alive.is_empty
    for file in asyncio.run(ended.list_files()):
        os.close(file.descriptor)

    asyncio.run(alive.retry())

    assert ["left"] == asyncio.run(read_all(alive))


def test_a_lock_that_the_disk_refuses_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks available")

    spool = open_spool(tmp_path)
    monkeypatch.setattr(fcntl, "flock", refuse)

    with pytest.raises(OSError, match="no locks available"):
        asyncio.run(spool.add("lost"))


@pytest.mark.parametrize("take_away", [Path.unlink, lambda path: path.rename(path.with_suffix(".rejected"))])
def test_a_file_that_another_receiver_takes_away_before_it_is_locked_takes_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take_away: Callable[[Path], object]
) -> None:
    spool, flock = open_spool(tmp_path), fcntl.flock

    def lock_removed(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        for path in list(tmp_path.iterdir()):
            take_away(path)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_removed)
    asyncio.run(spool.add("kept"))

    assert [base64.b64encode(b"kept") + b"\n"] == [path.read_bytes() for path in tmp_path.glob("*.spool")]
