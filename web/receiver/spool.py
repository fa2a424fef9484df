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


@dataclass(slots=True, eq=False)
class SpoolFile:
    """One file, and the descriptor that holds its lock: two receivers side by side share the folder."""

    path: Path
    descriptor: int
    size: int
    is_readable: bool = True  # False once a line of it was no record: then it is kept for a person

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
        self._bytes = 0  # of them all
        self._claim_left_files()

    @property
    def is_empty(self) -> bool:
        """Whether no record is in it, or on its way into it."""
        return not (self._adding or self._written or self._closed)

    def is_writable(self) -> bool:
        """Whether it can be expected to take a record."""
        if self._is_full or not os.access(self._folder, os.W_OK | os.X_OK) or not self._folder.is_dir():
            return False
        disk = os.statvfs(self._folder)
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
        """Return the records of a file, oldest first; meanwhile records are added."""
        return await asyncio.to_thread(self._read, file)

    async def remove(self, file: SpoolFile) -> None:
        """Remove a file whose records are stored."""
        await asyncio.to_thread(self._take_away, file, file.path.unlink)

    async def keep(self, file: SpoolFile) -> None:
        """Leave a file to a person, as a record of it cannot be read or stored; it does not wait any more."""
        await asyncio.to_thread(self._take_away, file, lambda: file.path.rename(file.kept_path))

    @property
    def _is_full(self) -> bool:
        return self._bytes >= _MOST_BYTES

    def _claim_left_files(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        claimed = (self._claim(path) for path in sorted(self._folder.glob(f"*{WAITING}")))
        self._closed = [file for file in claimed if file is not None]
        self._bytes = sum(file.size for file in self._closed)

    def _claim(self, path: Path) -> SpoolFile | None:
        """Open and lock a file; return None if another receiver, which is alive, has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return SpoolFile(path, descriptor, os.fstat(descriptor).st_size)

    async def _append(self, lines: Sequence[bytes]) -> Sequence[None]:
        await asyncio.to_thread(self._write, b"".join(lines))
        return [None] * len(lines)

    def _write(self, data: bytes) -> None:
        with self._lock:
            while self._written is None:  # a receiver that starts now may lock a new file before us
                self._written = self._claim(self._folder / f"{new_id()}{WAITING}")
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
        with suppress(FileNotFoundError):  # a person may have removed it
            change()
        with self._lock:
            self._closed.remove(file)
            self._bytes -= file.size
        os.close(file.descriptor)


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
