"""Reads a request's body and never keeps more than the largest alert."""

import asyncio
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from shared.errors import TickworkError
from web.receiver.scope import IS_WHOLE

MAX_BYTES = 16 * 1024
_MOST_DRAINED = 8 * 1024 * 1024  # a sender reads our answer only after it has sent its whole body
_TIMEOUT_S = 1.0  # with the time for the database less than TradingView waits for our answer


@dataclass(frozen=True, slots=True)
class Body:
    """The received body, at most its first MAX_BYTES; `is_whole` when no byte of it is still to come."""

    raw: bytes
    is_too_large: bool
    is_whole: bool


class BodyLateError(TickworkError):
    """The body did not arrive in time, or its sender disconnected."""


async def read_body(request: Request) -> Body:
    """Return the body; of one that is too large only the head. Raise BodyLateError when it does not arrive."""
    if IS_WHOLE in request.scope:  # nothing to wait for, so a deadline would only cost time
        message = await request.receive()
        if not message.get("more_body", True):
            raw: bytes = message["body"]
            return Body(raw[:MAX_BYTES], is_too_large=len(raw) > MAX_BYTES, is_whole=True)
        raise BodyLateError("the sender has disconnected")
    head = bytearray()
    seen = 0
    is_whole = False
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            async for chunk in request.stream():
                head += chunk[: MAX_BYTES - len(head)]
                seen += len(chunk)
                if seen > _MOST_DRAINED:
                    break
            else:
                is_whole = True
    except (TimeoutError, ClientDisconnect):
        if seen <= MAX_BYTES:
            raise BodyLateError(f"the body did not arrive within {_TIMEOUT_S:g} s") from None
    return Body(bytes(head), is_too_large=seen > MAX_BYTES, is_whole=is_whole)
