"""The venue's memory on disk: one line of JSON per change, written out before anyone hears of it."""

import fcntl
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import SettingsError
from simulator.venue.records import Change

_ENCODER = msgspec.json.Encoder(enc_hook=str)


def _fraction(type_: type, text: Any) -> Fraction:  # noqa: ANN401 - msgspec hands over whatever the line holds
    if type_ is Fraction:
        return Fraction(text)
    raise NotImplementedError(type_)


_DECODER = msgspec.json.Decoder(Change, dec_hook=_fraction)


class Journal:
    """A file of changes. Its first line names the market, so that the past of one is never continued in another."""

    def __init__(self, file: Path, market: str) -> None:
        self._path = file
        self._title = msgspec.json.encode({"market": market}) + b"\n"
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(f"{file} is in use by another simulator: stop it, or give another --state") from None

    def replay(self) -> Iterator[Change]:
        """Yield every change ever written; cut off a last line that a crash has torn."""
        text = self._path.read_bytes()
        whole, _, torn = text.rpartition(b"\n")
        if torn:
            os.ftruncate(self._file, len(text) - len(torn))
        lines = whole.splitlines(keepends=True) if whole else []
        if not lines:
            os.write(self._file, self._title)
            return
        if lines[0].strip() != self._title.strip():
            raise SettingsError(f"{self._path} belongs to the market {lines[0].decode().strip()}, not to "
                                f"{self._title.decode().strip()}: give another --state")  # fmt: skip
        for number, line in enumerate(lines[1:], start=2):
            try:
                yield _DECODER.decode(line)
            except msgspec.MsgspecError as error:
                raise SettingsError(
                    f"line {number} of {self._path} cannot be read ({error}): move the file away"
                ) from error

    def write(self, change: Change) -> None:
        """Append one change; when this returns it outlives the process, if not a power cut."""
        line = _ENCODER.encode(change) + b"\n"
        length = os.fstat(self._file).st_size
        if os.write(self._file, line) != len(line):
            os.ftruncate(self._file, length)
            raise OSError(f"{self._path} took only a part of a line: is the disk full?")

    def close(self) -> None:
        """Let another process have the file."""
        os.close(self._file)
