"""A folder of files that keep records while Postgres is away: each is on the disk before its sender is answered."""

import asyncio
import base64
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from shared.ids import new_id
from web.receiver.batcher import Batcher

log = logging.getLogger("receiver")

Record = TypeVar("Record")

_SUFFIX, _REJECTED = ".spool", ".rejected"


@dataclass(slots=True)
class _File:
    """One file, and the descriptor that holds its lock: two receivers side by side share the folder."""

    path: Path
    descriptor: int
    is_readable: bool = True  # False once a line of it was no record: then it is kept for a person


class Spool(Generic[Record]):
    """Records of this process, and those that ended processes have left in the folder.

    `encode` and `decode` turn a record into bytes and back; `decode` raises ValueError for bytes that are none.
    """

    def __init__(self, folder: Path, encode: Callable[[Record], bytes], decode: Callable[[bytes], Record]) -> None:
        self._folder = folder
        self._encode, self._decode = encode, decode
        self._batcher: Batcher[bytes, None] = Batcher(self._append)
        self._adding = 0
        self._lock = threading.Lock()  # of the files, which threads of the event loop's pool read and write
        self._written: _File | None = None
        self._unread: list[_File] = []
        self._read: list[_File] = []
        self._claim_left_files()

    @property
    def is_empty(self) -> bool:
        """Whether no record is in it, or on its way into it."""
        return not (self._adding or self._written or self._unread or self._read)

    async def add(self, record: Record) -> None:
        """Return once the record is on the disk; raise OSError if that fails."""
        self._adding += 1
        try:
            await self._batcher.submit(base64.b64encode(self._encode(record)) + b"\n")
        finally:
            self._adding -= 1

    async def read(self) -> list[Record]:
        """Return every record, oldest first; what is added later goes to another file."""
        return await asyncio.to_thread(self._read_all)

    async def discard(self, *, keep_files: bool = False) -> None:
        """Remove what the last read returned, once it is stored; with `keep_files` keep its files for a person."""
        await asyncio.to_thread(self._remove_read, keep_files=keep_files)

    def _claim_left_files(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        claimed = (self._claim(path) for path in sorted(self._folder.glob(f"*{_SUFFIX}")))
        self._unread = [file for file in claimed if file is not None]

    def _claim(self, path: Path) -> _File | None:
        """Open and lock a file; return None if another receiver, which is alive, has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return _File(path, descriptor)

    async def _append(self, lines: Sequence[bytes]) -> Sequence[None]:
        await asyncio.to_thread(self._write, b"".join(lines))
        return [None] * len(lines)

    def _write(self, data: bytes) -> None:
        with self._lock:
            while self._written is None:  # a receiver that starts now may lock a new file before us
                self._written = self._claim(self._folder / f"{new_id()}{_SUFFIX}")
                _sync(self._folder)
            descriptor = self._written.descriptor
            size = os.fstat(descriptor).st_size
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise

    def _read_all(self) -> list[Record]:
        with self._lock:
            self._read += [*self._unread, *([self._written] if self._written else [])]
            self._unread, self._written = [], None
            return [record for file in self._read for record in self._read_file(file)]

    def _read_file(self, file: _File) -> list[Record]:
        found: list[Record] = []
        # Without its end a line was never confirmed to its sender.
        for line in os.pread(file.descriptor, os.fstat(file.descriptor).st_size, 0).split(b"\n")[:-1]:
            try:
                found.append(self._decode(base64.b64decode(line, validate=True)))
            except ValueError as error:
                file.is_readable = False
                log.warning("a line of %s is no alert: %s", file.path.name, error)
        return found

    def _remove_read(self, *, keep_files: bool) -> None:
        with self._lock:
            while self._read:
                file = self._read.pop()
                try:
                    if file.is_readable and not keep_files:
                        file.path.unlink(missing_ok=True)
                    else:
                        kept = file.path.rename(file.path.with_suffix(_REJECTED))
                        log.warning("%s is kept: docs/howto/recover.md says what to do with it", kept)
                finally:
                    os.close(file.descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
