"""SignalR's JSON protocol as a client needs it: records between separators, and what each says; pure.

Source: venue.md section 7.4, and SignalR's HubProtocol.md.
"""

from dataclasses import dataclass, field
from enum import IntEnum

import msgspec

from shared.errors import TickworkError

SEPARATOR = "\x1e"
# The first snapshot of an order book is far above 10 KB; the library's 1 MiB is where others met 1009 in a loop.
MOST_FRAME = 16 * 1024 * 1024
MOST_RECORD = MOST_FRAME


class MessageType(IntEnum):
    """What a record is; others exist, and are ignored."""

    INVOCATION = 1
    COMPLETION = 3
    PING = 6
    CLOSE = 7


class MalformedRecordError(TickworkError):
    """What came is not of the protocol; the connection is of no more use."""


class Record(msgspec.Struct):
    """One record, as far as a client needs it; `arguments` are left as they came."""

    type: int = 0
    target: str = ""
    arguments: list[msgspec.Raw] = []
    invocationId: str | None = None  # noqa: N815  # the protocol's name
    error: str | None = None


@dataclass(slots=True)
class RecordSplitter:
    """Cuts what comes in into records: one may be spread over messages, or share one with others."""

    _parts: list[str] = field(default_factory=list, init=False)
    _size: int = field(default=0, init=False)

    def feed(self, text: str) -> list[str]:
        """Return the records that are whole now; raise MalformedRecordError for one that never ends."""
        *records, rest = text.split(SEPARATOR)
        if records:
            records[0] = "".join([*self._parts, records[0]])
            self._parts, self._size = [], 0
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > MOST_RECORD:
            raise MalformedRecordError(f"a record is longer than {MOST_RECORD} characters")
        return records


_RECORD = msgspec.json.Decoder(Record)


def parsed(text: str) -> Record:
    """Read one record; raise MalformedRecordError, which quotes nothing of it."""
    try:
        return _RECORD.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise MalformedRecordError(f"a record cannot be read: {error}") from None


def text_of(frame: str | bytes) -> str:
    """Return the text of a frame; raise MalformedRecordError for bytes that are none."""
    try:
        return frame if isinstance(frame, str) else frame.decode()
    except UnicodeDecodeError:
        raise MalformedRecordError("a frame is not UTF-8") from None


def invocation(number: str, target: str, arguments: tuple[object, ...]) -> str:
    """Return a call that the hub answers with a completion of the same number."""
    call = {"type": MessageType.INVOCATION, "invocationId": number, "target": target, "arguments": arguments}
    return msgspec.json.encode(call).decode() + SEPARATOR


HANDSHAKE = '{"protocol":"json","version":1}' + SEPARATOR
PING = '{"type":6}' + SEPARATOR
