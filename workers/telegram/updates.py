"""Updates as Telegram sends them, reduced to what a command needs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

_LAST_DATE = 32_503_680_000  # the year 3000
# The last of what is nested a thousand times.
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_Id = Annotated[int, msgspec.Meta(ge=-(2**52), le=2**52)]  # of accounts and chats, by the Bot API
_UpdateId = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Account(msgspec.Struct):
    id: _Id
    is_bot: bool = False


class _Chat(msgspec.Struct):
    id: _Id
    type: str


class _Message(msgspec.Struct):
    date: int
    chat: _Chat
    sender: _Account | None = msgspec.field(default=None, name="from")
    text: str | None = None
    # Each says that the sender did not type it here: forwarded, by another bot, for a chat, or by a business account.
    forward_origin: Any = None
    forward_date: Any = None
    forward_from: Any = None
    forward_from_chat: Any = None
    forward_sender_name: Any = None
    is_automatic_forward: Any = None
    via_bot: Any = None
    sender_chat: Any = None
    business_connection_id: Any = None
    edit_date: Any = None


_FOREIGN = _Message.__struct_fields__[_Message.__struct_fields__.index("forward_origin") :]


class _Update(msgspec.Struct):
    update_id: _UpdateId
    message: _Message | None = None


class _Numbered(msgspec.Struct):
    update_id: _UpdateId


@dataclass(frozen=True, slots=True)
class TypedMessage:
    """What an account has typed in its private chat with the bot; no `text`: a picture or the like."""

    telegram_id: int
    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Update:
    """An update by its number; `message` is None for one that is ignored, for the reason `ignored`."""

    id: int
    message: TypedMessage | None
    telegram_id: int | None
    ignored: str


def parse_update(raw: bytes) -> Update | None:
    """Return an update; None for what has no number, which cannot be one."""
    try:
        found = msgspec.json.decode(raw, type=_Update)
    except _UNREADABLE:
        return _parse_number(raw)
    message = found.message
    if message is None:
        return Update(found.update_id, None, None, "no message")
    sender = message.sender
    telegram_id = None if sender is None else sender.id
    ignored = _find_reason(message)
    if ignored or sender is None:
        return Update(found.update_id, None, telegram_id, ignored)
    sent_at = datetime.fromtimestamp(message.date, UTC)
    return Update(found.update_id, TypedMessage(sender.id, _clean(message.text or ""), sent_at), sender.id, "")


def _parse_number(raw: bytes) -> Update | None:
    try:
        return Update(msgspec.json.decode(raw, type=_Numbered).update_id, None, None, "not understood")
    except _UNREADABLE:
        return None


def _find_reason(message: _Message) -> str:
    """Return why a message is ignored; empty if it is not."""
    sender = message.sender
    if message.chat.type != "private":
        return "no private chat"
    if sender is None or sender.is_bot or sender.id != message.chat.id:
        return "not typed by the person of the chat"
    if any(getattr(message, name) is not None for name in _FOREIGN):
        return "forwarded, edited, or sent for another"
    return "" if 0 <= message.date < _LAST_DATE else "without a date"


def _clean(text: str) -> str:
    """Return the text on one line, without what Postgres or a terminal does not take."""
    printable = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(printable.split())
