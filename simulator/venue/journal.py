"""The journal of the venue on disk: one line of JSON per change, written before any client sees the change."""

import fcntl
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import SettingsError
from simulator.venue.records import Change

_FORMAT = 2  # of the lines; 1 had other field names and no number in its header
_ENCODER = msgspec.json.Encoder(enc_hook=str)


def _decode_fraction(type_: type, text: Any) -> Fraction:  # noqa: ANN401 - msgspec passes any JSON value
    if type_ is Fraction:
        return Fraction(text)
    raise NotImplementedError(type_)


_DECODER = msgspec.json.Decoder(Change, dec_hook=_decode_fraction)


class Journal:
    """A file of changes. Its first line names the market, so that another market never continues it.

    Raise SettingsError for a file that another simulator has locked.
    """

    def __init__(self, file: Path, market: str) -> None:
        self._path = file
        self._header = msgspec.json.encode({"market": market, "format": _FORMAT}) + b"\n"
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"{file} is in use by another simulator: stop that simulator, or choose another --state"
            ) from None

    def replay(self) -> Iterator[Change]:
        """Yield every change in the file, and cut off an incomplete last line that a crash left.

        Raise SettingsError for the journal of another market, or for a line that cannot be read.
        """
        text = self._path.read_bytes()
        whole, _, torn = text.rpartition(b"\n")
        if torn:
            os.ftruncate(self._file, len(text) - len(torn))
        lines = whole.splitlines(keepends=True) if whole else []
        if not lines:
            os.write(self._file, self._header)
            return
        if lines[0].strip() != self._header.strip():
            raise SettingsError(
                f"{self._path} belongs to the market or version {lines[0].decode().strip()}, expected "
                f"{self._header.decode().strip()}: choose another --state, or move the file away"
            )
        for number, line in enumerate(lines[1:], start=2):
            try:
                yield _DECODER.decode(line)
            except msgspec.MsgspecError as error:
                raise SettingsError(
                    f"cannot read line {number} of {self._path} ({error}): move the file away"
                ) from error

    def write(self, change: Change) -> None:
        """Append one change; when this returns, it survives a crash of the process, but maybe not a power cut."""
        line = _ENCODER.encode(change) + b"\n"
        length = os.fstat(self._file).st_size
        if os.write(self._file, line) != len(line):
            os.ftruncate(self._file, length)
            raise OSError(f"cannot write a whole line to {self._path}: is the disk full?")

    def close(self) -> None:
        """Release the file for another process."""
        os.close(self._file)
