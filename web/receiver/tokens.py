"""Authenticates requests by API token: `Authorization: Bearer TOKEN`."""

import asyncio
import hmac
import re
from http import HTTPStatus

from starlette.requests import Request

from shared.db import api_tokens
from shared.db.api_tokens import ApiToken
from shared.db.token_hash import hash_token
from shared.ledger.async_ledger import AsyncLedger
from web.receiver.deadline import with_timeout
from web.receiver.problem import RefusedRequestError

# Wrong tokens must not take the connections that alerts need.
_MOST_LOOKUPS = 2
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(?P<token>tw_[A-Za-z0-9_-]{43})")


class TokenAuthenticator:
    """Finds the API token of a request."""

    def __init__(self, ledger: AsyncLedger) -> None:
        self._ledger = ledger
        self._lookups = asyncio.Semaphore(_MOST_LOOKUPS)

    async def authenticate(self, request: Request) -> ApiToken:
        """Return the token; raise RefusedRequestError, the same for every way in which it is not valid."""
        headers = request.headers.getlist("Authorization")
        given = _BEARER.fullmatch(headers[0]) if len(headers) == 1 else None
        found = await with_timeout(self._find(given["token"])) if given else None
        if found is None:
            raise RefusedRequestError(
                HTTPStatus.UNAUTHORIZED,
                "a valid API token is required",
                hint="send the header `Authorization: Bearer TOKEN` with a token of `tickwork tokens add`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return found

    async def _find(self, token: str) -> ApiToken | None:
        wanted = hash_token(token)
        async with self._lookups, self._ledger.transaction() as tx:
            row = (await tx.connection.execute(*api_tokens.valid_with_hash(wanted))).one_or_none()
            if row is None or not hmac.compare_digest(row.token_hash, wanted):
                return None
            found = api_tokens.token_of(row)
            if row.is_use_due:
                await tx.connection.execute(api_tokens.note_use(found.id))
        return found
