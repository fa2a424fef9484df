"""SignalR's JSON protocol for a client: splits, parses and encodes records; pure.

Source: venue.md section 7.4, and SignalR's HubProtocol.md.
"""

from dataclasses import dataclass, field
from enum import IntEnum

import msgspec

from shared.errors import TickworkError

SEPARATOR = "\x1e"
# The first snapshot of an order book is far above 10 KB; at the library's limit of 1 MiB other clients were closed
# with code 1009 again and again.
MAX_FRAME = 16 * 1024 * 1024
MAX_RECORD = MAX_FRAME


class MessageType(IntEnum):
    """The types of record we handle; all others are ignored."""

    INVOCATION = 1
    COMPLETION = 3
    PING = 6
    CLOSE = 7


class MalformedRecordError(TickworkError):
    """A received record or frame breaks the protocol; the connection must be closed."""


class Record(msgspec.Struct):
    """The fields of a record that a client needs; `arguments` stay unparsed."""

    type: int = 0
    target: str = ""
    arguments: list[msgspec.Raw] = []
    invocationId: str | None = None  # noqa: N815  # the protocol's name
    error: str | None = None


@dataclass(slots=True)
class RecordSplitter:
    """Splits received text into records: a record may span several messages, or share one with others."""

    _parts: list[str] = field(default_factory=list, init=False)
    _size: int = field(default=0, init=False)

    def feed(self, text: str) -> list[str]:
        """Return the records that are complete now; raise MalformedRecordError for one that is too long."""
        *records, rest = text.split(SEPARATOR)
        if records:
            records[0] = "".join([*self._parts, records[0]])
            self._parts, self._size = [], 0
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > MAX_RECORD:
            raise MalformedRecordError(f"record too long: expected at most {MAX_RECORD} characters")
        return records


_RECORD = msgspec.json.Decoder(Record)


def parse_record(text: str) -> Record:
    """Parse one record; raise MalformedRecordError, which never quotes the record."""
    try:
        return _RECORD.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise MalformedRecordError(f"cannot parse a record: {error}") from None


def decode_frame(frame: str | bytes) -> str:
    """Return the text of a frame; raise MalformedRecordError for bytes that are not UTF-8."""
    try:
        return frame if isinstance(frame, str) else frame.decode()
    except UnicodeDecodeError:
        raise MalformedRecordError("invalid frame: expected UTF-8") from None


def encode_invocation(number: str, target: str, arguments: tuple[object, ...]) -> str:
    """Encode a call; the hub answers it with a completion of the same number."""
    call = {"type": MessageType.INVOCATION, "invocationId": number, "target": target, "arguments": arguments}
    return msgspec.json.encode(call).decode() + SEPARATOR


HANDSHAKE = '{"protocol":"json","version":1}' + SEPARATOR
PING = '{"type":6}' + SEPARATOR
