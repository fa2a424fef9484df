"""Authenticates requests by API token: `Authorization: Bearer TOKEN`."""

import asyncio
import hmac
import re
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus

from starlette.requests import Request

from shared.db import api_tokens
from shared.db.alerts.hooks import hash_token
from shared.db.api_tokens import ApiToken
from shared.ledger.async_ledger import AsyncLedger
from web.receiver.anonymous_work import AnonymousWork
from web.receiver.deadline import DatabaseDownError, with_timeout
from web.receiver.limits import MissBucket
from web.receiver.problem import RefusedRequestError, too_many_requests
from web.receiver.sender import AddressReader

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(?P<token>tw_[A-Za-z0-9_-]{43})")
_RELOAD_EVERY_S, _RETRY_S = 30.0, 1.0  # tokens are added and revoked meanwhile; Postgres may be down at the start


class TokenAuthenticator:
    """Finds the API token of a request; a token that was valid before does not wait behind those that never were."""

    def __init__(self, ledger: AsyncLedger, addresses: AddressReader) -> None:
        self._ledger = ledger
        self._anonymous = AnonymousWork()
        self._addresses = addresses
        self._wrong = MissBucket()
        self._known: set[bytes] = set()  # hashes that were valid the last time: no more than there are tokens
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the tokens that are valid, so that a flood does not keep them out, and again now and then."""
        is_read = await self._reload()
        self._reader = asyncio.create_task(self._keep_reading(is_read=is_read))

    async def stop(self) -> None:
        """End reading."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader

    async def _keep_reading(self, *, is_read: bool) -> None:
        while True:
            await asyncio.sleep(_RELOAD_EVERY_S if is_read else _RETRY_S)
            is_read = await self._reload()

    async def _reload(self) -> bool:
        """Read the tokens that are valid; return whether Postgres answered."""
        try:
            self._known = set(await with_timeout(self._read_known()))
        except DatabaseDownError:
            return False
        return True

    async def _read_known(self) -> Sequence[bytes]:
        async with self._ledger.transaction() as tx:
            return [row.token_hash for row in await tx.connection.execute(api_tokens.select_valid_hashes())]

    async def authenticate(self, request: Request) -> ApiToken:
        """Return the token; raise RefusedRequestError, the same for every way in which it is not valid."""
        address = self._addresses.address_of(request)
        headers = request.headers.getlist("Authorization")
        given = _BEARER.fullmatch(headers[0]) if len(headers) == 1 else None
        found = await self._find(hash_token(given["token"]), address) if given else None
        if found is None:
            if not self._wrong.take(address):
                raise _too_many_wrong()
            raise RefusedRequestError(
                HTTPStatus.UNAUTHORIZED,
                "a valid API token is required",
                hint="send the header `Authorization: Bearer TOKEN` with a token of `tickwork tokens add`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return found

    async def _find(self, wanted: bytes, address: str) -> ApiToken | None:
        if wanted in self._known:
            found = await with_timeout(self._read(wanted))
        elif self._wrong.has(address):
            found = await self._anonymous.run(lambda: self._read(wanted))
        else:
            raise _too_many_wrong()
        if found is None:
            self._known.discard(wanted)
        else:
            self._known.add(wanted)
        return found

    async def _read(self, wanted: bytes) -> ApiToken | None:
        async with self._ledger.transaction() as tx:
            row = (await tx.connection.execute(*api_tokens.select_valid(wanted))).one_or_none()
            if row is None or not hmac.compare_digest(row.token_hash, wanted):
                return None
            found = api_tokens.token_of(row)
            if row.is_use_due:
                await tx.connection.execute(api_tokens.build_use_update(found.id))
        return found


def _too_many_wrong() -> RefusedRequestError:
    return too_many_requests("wrong API tokens from your address", 60)
