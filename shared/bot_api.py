"""Two methods of Telegram's Bot API; no error and no log shows the bot's token, which is part of every URL."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec
import requests
from urllib3.exceptions import HTTPError

from shared.clock import monotonic
from shared.errors import TickworkError
from shared.log import mask_secrets

POLL_S = 25  # that Telegram waits for an update before it answers with none
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 5.0, 10.0
MOST_UPDATES = 100  # in an answer, by the Bot API
_MOST_BYTES = 4_000_000  # of an answer; the Bot API's may be a little longer, and more after JSON's escapes
_MOST_BYTES_OF_ONE = 16_000_000  # of an answer with one update, of which no smaller part can be asked for
MOST_UNITS = 4_096  # of UTF-16, in a message
_LONGEST_DESCRIPTION = 200
_LONGEST_PAUSE_S = 3_600


class BotApiError(TickworkError):
    """Telegram took no request, or refused it; `retry_after` is the pause that it asks for."""

    def __init__(self, message: str, status: int | None = None, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class AnswerTooLongError(BotApiError):
    """Telegram answered with more than is read at once."""


class _Parameters(msgspec.Struct):
    retry_after: int = 0


class _Reply(msgspec.Struct):
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    description: str = ""
    parameters: _Parameters | None = None


@dataclass(frozen=True, slots=True)
class RawUpdates:
    """Updates as JSON, oldest first, and the time of Telegram's clock, if it said so."""

    updates: Sequence[bytes]
    server_at: datetime | None


class BotApi:
    """A connection to the Bot API as one bot; one thread uses it."""

    def __init__(self, url: str, token: str) -> None:
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # it logs the paths of requests
        self._url, self._token = url, token
        self._session = requests.Session()

    def get_updates(self, offset: int | None, limit: int = MOST_UPDATES) -> RawUpdates:
        """Wait up to POLL_S for updates from number `offset` on, by which all before are confirmed; raise BotApiError.

        At most `limit` come, 1 to 100; raise AnswerTooLongError for more than 4 MB, or for one of more than 16 MB. Only
        one program may do so for a bot.
        """
        asked: dict[str, Any] = {"timeout": POLL_S, "allowed_updates": ["message"], "limit": limit}
        if offset is not None:
            asked["offset"] = offset
        most_bytes = _MOST_BYTES if limit > 1 else _MOST_BYTES_OF_ONE
        result, server_at = self._call("getUpdates", asked, POLL_S + _READ_TIMEOUT_S, most_bytes)
        try:
            return RawUpdates([bytes(one) for one in msgspec.json.decode(result, type=list[msgspec.Raw])], server_at)
        except (msgspec.MsgspecError, RecursionError):
            raise BotApiError("Telegram answered with something that is no list of updates") from None

    def send_message(self, telegram_id: int, text: str) -> None:
        """Send a plain text, cut to what a message takes, to the private chat with an account; raise BotApiError."""
        cut = text.encode("utf-16-le", "replace")[: 2 * MOST_UNITS].decode("utf-16-le", "ignore")
        asked = {"chat_id": telegram_id, "text": cut, "link_preview_options": {"is_disabled": True}}
        self._call("sendMessage", asked, _READ_TIMEOUT_S)

    def _call(
        self, method: str, asked: Mapping[str, Any], timeout_s: float, most_bytes: int = _MOST_BYTES
    ) -> tuple[msgspec.Raw, datetime | None]:
        try:
            with self._session.post(
                f"{self._url}/bot{self._token}/{method}",
                json=asked,
                headers={"Accept-Encoding": "identity"},  # what is unpacked may be much larger
                timeout=(_CONNECT_TIMEOUT_S, timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                status, at = response.status_code, _parse_date(response.headers.get("Date"))
                body = _read(response, monotonic() + timeout_s, most_bytes)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # Not its text, which has the URL.
            raise BotApiError(f"Telegram cannot be reached: {type(error).__name__}") from None
        try:
            reply = msgspec.json.decode(body, type=_Reply)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise BotApiError(f"Telegram answered {status} with no JSON of the Bot API", status) from None
        if not reply.ok or status != HTTPStatus.OK:
            raise self._to_error(status, reply)
        return reply.result, at

    def _to_error(self, status: int, reply: _Reply) -> BotApiError:
        said = mask_secrets(reply.description.replace(self._token, "***"))[:_LONGEST_DESCRIPTION]
        pause_s = 0 if reply.parameters is None else min(max(reply.parameters.retry_after, 0), _LONGEST_PAUSE_S)
        message = f"Telegram answered {status}: {' '.join(said.split()) or 'without a reason'}"
        return BotApiError(message, status, timedelta(seconds=pause_s) if pause_s else None)


def _read(response: requests.Response, until: float, most_bytes: int) -> bytes:
    """Return the body; raise AnswerTooLongError for one that is too long, TimeoutError if it has not ended then."""
    parts, size = [], 0
    while part := response.raw.read1(65_536, decode_content=True):
        size += len(part)
        if size > most_bytes:
            raise AnswerTooLongError(f"Telegram answered with more than {most_bytes // 1_000_000} MB at once")
        if monotonic() > until:
            raise TimeoutError("the answer does not end")
        parts.append(part)
    return b"".join(parts)


def _parse_date(value: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
