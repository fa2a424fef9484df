"""A folder of files that keep records while Postgres is away: each is on the disk before its sender is answered."""

import asyncio
import base64
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from shared.ids import new_id
from shared.spool_folder import REJECTED, WAITING
from web.receiver.batcher import Batcher

log = logging.getLogger("receiver")

Record = TypeVar("Record")

_MOST_BYTES = 500 * 1024 * 1024  # of all files that wait: the holder of one token must not fill the disk
_MOST_BYTES_OF_FILE = 4 * 1024 * 1024  # some thousand records; a file is read as a whole
_LEAST_FREE_BYTES = 16 * 1024 * 1024
_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT


@dataclass(slots=True, eq=False)
class SpoolFile:
    """One file, and the descriptor that holds its lock: two receivers side by side share the folder."""

    path: Path
    descriptor: int
    size: int
    is_readable: bool = True  # False once a line of it was no record: then it is kept for a person
    take_away: Callable[[], object] | None = None  # what is left to do with one of which every record is dealt with

    @property
    def kept_path(self) -> Path:
        """The path of the file once it is kept for a person."""
        return self.path.with_suffix(REJECTED)


class Spool(Generic[Record]):
    """Records of this process, and those that ended processes have left in the folder.

    `encode` and `decode` turn a record into bytes and back; `decode` raises ValueError for bytes that are none.
    """

    def __init__(self, folder: Path, encode: Callable[[Record], bytes], decode: Callable[[bytes], Record]) -> None:
        self._folder = folder
        self._encode, self._decode = encode, decode
        self._batcher: Batcher[bytes, None] = Batcher(self._append)
        self._adding = 0
        self._lock = threading.Lock()  # of the lists below, which threads of the event loop's pool change
        self._written: SpoolFile | None = None
        self._closed: list[SpoolFile] = []
        self._aside: list[SpoolFile] = []
        self._bytes = 0  # of them all
        self._reported: set[Path] = set()  # files of which a failure is logged
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._claim_left_files()

    @property
    def is_empty(self) -> bool:
        """Whether no record waits in it, or is on its way into it; a file that is set aside does not wait."""
        return not (self._adding or self._written or self._closed)

    @property
    def aside_count(self) -> int:
        """How many files are set aside."""
        return len(self._aside)

    def is_writable(self) -> bool:
        """Whether it can be expected to take a record."""
        try:
            if self._is_full or not os.access(self._folder, os.W_OK | os.X_OK) or not self._folder.is_dir():
                return False
            disk = os.statvfs(self._folder)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize >= _LEAST_FREE_BYTES

    async def add(self, record: Record) -> None:
        """Return once the record is on the disk; raise OSError if that fails, or if the spool is full."""
        if self._is_full:
            raise OSError(f"it is full, as its files hold {_MOST_BYTES / 1e6:.0f} MB")
        self._adding += 1
        try:
            await self._batcher.submit(base64.b64encode(self._encode(record)) + b"\n")
        finally:
            self._adding -= 1

    async def list_files(self) -> Sequence[SpoolFile]:
        """Return the files that wait, oldest first; what is added later goes to another one."""
        return await asyncio.to_thread(self._close_and_list)

    async def read(self, file: SpoolFile) -> Sequence[Record]:
        """Return the records of a file, oldest first; meanwhile records are added. Raise OSError if that fails."""
        return await asyncio.to_thread(self._read, file)

    async def set_aside(self, file: SpoolFile, reason: str) -> None:
        """Let a file that cannot be read wait for `retry`, so that it keeps no other one waiting."""
        self._report(file.path, f"its alerts wait, as it cannot be read: {reason}")
        await asyncio.to_thread(self._set_aside, file)

    async def retry(self) -> None:
        """Take up what is set aside, and the files of receivers that have ended since."""
        await asyncio.to_thread(self._retry)

    async def remove(self, file: SpoolFile) -> None:
        """Remove a file whose records are stored; one that cannot be removed is set aside, and not stored again."""
        await asyncio.to_thread(self._take_away, file, file.path.unlink)

    async def keep(self, file: SpoolFile) -> None:
        """Leave a file to a person, as a record of it cannot be read or stored; it does not wait any more.

        One that cannot be renamed is set aside.
        """
        await asyncio.to_thread(self._take_away, file, lambda: file.path.rename(file.kept_path))

    @property
    def _is_full(self) -> bool:
        return self._bytes >= _MOST_BYTES

    def _claim_left_files(self) -> None:
        """Claim what ended receivers have left; a file that cannot be opened stays where it is."""
        try:
            paths = sorted(self._folder.glob(f"*{WAITING}"))
        except OSError as error:
            self._report(self._folder, f"it cannot be listed: {error}")
            return
        for path in paths:
            try:
                file = self._claim(path, os.O_RDONLY)  # also on a disk that takes no writes
            except FileNotFoundError:
                continue  # another receiver has stored and removed it
            except OSError as error:
                self._report(path, f"its alerts wait, as it cannot be opened: {error}")
                continue
            if file is not None:
                self._closed.append(file)
                self._bytes += file.size

    def _claim(self, path: Path, flags: int) -> SpoolFile | None:
        """Open and lock a file; return None if a receiver that is alive, perhaps this one, has or had it.

        Raise OSError if that fails.
        """
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return None
            raise
        status = os.fstat(descriptor)
        if not _is_same_file(path, status):  # another receiver has locked it, and removed or renamed it, before us
            os.close(descriptor)
            return None
        return SpoolFile(path, descriptor, status.st_size)

    async def _append(self, lines: Sequence[bytes]) -> Sequence[None]:
        await asyncio.to_thread(self._write, b"".join(lines))
        return [None] * len(lines)

    def _write(self, data: bytes) -> None:
        with self._lock:
            while self._written is None:  # a receiver that starts now may lock a new file before us
                self._written = self._claim(self._folder / f"{new_id()}{WAITING}", _NEW)
                _sync(self._folder)
            file = self._written
            _append_synced(file.descriptor, data)
            before, file.size = file.size, os.fstat(file.descriptor).st_size
            self._bytes += file.size - before
            if file.size >= _MOST_BYTES_OF_FILE:
                self._close_written()

    def _close_written(self) -> None:
        if self._written is not None:
            self._closed.append(self._written)
            self._written = None

    def _close_and_list(self) -> Sequence[SpoolFile]:
        with self._lock:
            self._close_written()
            return list(self._closed)

    def _read(self, file: SpoolFile) -> Sequence[Record]:
        found: list[Record] = []
        # Without its end a line was never confirmed to its sender.
        for line in os.pread(file.descriptor, file.size, 0).split(b"\n")[:-1]:
            try:
                found.append(self._decode(base64.b64decode(line, validate=True)))
            except ValueError as error:
                if file.is_readable:  # it is read again until it is stored
                    log.warning("a line of %s is no alert: %s", file.path.name, error)
                file.is_readable = False
        return found

    def _take_away(self, file: SpoolFile, change: Callable[[], object]) -> None:
        try:
            with suppress(FileNotFoundError):  # a person may have removed it
                change()
        except OSError as error:
            self._report(file.path, f"it is of no more use, but cannot be taken away: {error}")
            file.take_away = change
            self._set_aside(file)
            return
        with self._lock:
            (self._aside if file in self._aside else self._closed).remove(file)
            self._bytes -= file.size
        with suppress(OSError):
            os.close(file.descriptor)

    def _set_aside(self, file: SpoolFile) -> None:
        with self._lock:
            if file in self._closed:
                self._closed.remove(file)
                self._aside.append(file)

    def _retry(self) -> None:
        with self._lock:
            self._claim_left_files()
            self._closed += [file for file in self._aside if file.take_away is None]
            self._aside = [file for file in self._aside if file.take_away is not None]
            unneeded = list(self._aside)
        for file in unneeded:
            if file.take_away is not None:
                self._take_away(file, file.take_away)

    def _report(self, path: Path, what: str) -> None:
        """Log once of each path what is wrong with it."""
        if path not in self._reported:
            self._reported.add(path)
            log.error("%s in the spool: %s", path.name, what)


def _is_same_file(path: Path, status: os.stat_result) -> bool:
    """Whether a path still names the file that was opened there."""
    try:
        return os.path.samestat(path.stat(), status)
    except FileNotFoundError:
        return False


def _append_synced(descriptor: int, data: bytes) -> None:
    """Append to a file, or leave it as it is and raise OSError."""
    size = os.fstat(descriptor).st_size
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
