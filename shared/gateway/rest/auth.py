"""The login every call needs: one token for all processes, renewed before it ends or once the venue refuses it."""

import logging

from shared.clock import machine_now
from shared.config import VenueSettings
from shared.domain.accounts.login import Token, parse_token
from shared.errors import CredentialsRefusedError, RefusedError, SettingsError, TickworkError, VenueDownError
from shared.fleets import Queue
from shared.gateway.ports import TokenStore
from shared.gateway.rest.transport import Request, TokenRefusedError, Transport, describe_error

LOGIN, VALIDATE, LOGOUT = "/api/Auth/loginKey", "/api/Auth/validate", "/api/Auth/logout"
_UNKNOWN_ERROR = 8
# Source: venue.md section 3.1.
_REASONS = {
    1: "the user name is unknown",
    2: "the key is wrong",
    3: "user name or key is wrong",
    7: "the agreements are not signed: log in to the platform and sign them",
    9: "the account has no active API subscription, or it is not linked",
    10: "logging in by key is disabled",
}

log = logging.getLogger(__name__)


class Login:
    """Provides the token. A second login does not end the first, so a race costs one request and does no harm."""

    def __init__(self, venue: VenueSettings, transport: Transport, tokens: TokenStore) -> None:
        self._venue = venue
        self._transport = transport
        self._tokens = tokens

    def token(self, queue: Queue, *, may_renew: bool = True) -> str:
        """Return the token all processes share: log in if there is none, renew it if it is due and the claim is ours.

        Raise CredentialsRefusedError if the venue refuses the login, SettingsError without user name or key.
        """
        stored = self._tokens.get()
        if stored is None:
            return self._log_in(queue)
        if may_renew and stored.renew_at <= machine_now() and self._tokens.claim_renewal():
            return self._renew_early(stored, queue)
        return stored.text

    def has_fresh_token(self) -> bool:
        """Whether there is a token that is not due for renewal."""
        stored = self._tokens.get()
        return stored is not None and machine_now() < stored.renew_at

    def replace_token(self, refused: str, queue: Queue) -> str:
        """Drop the token `refused`, which the venue answered with 401; return another."""
        self.forget(refused)
        return self.token(queue)

    def forget(self, refused: str) -> None:
        """Drop the token `refused` for all processes."""
        self._tokens.drop(refused)

    def validate(self, queue: Queue) -> None:
        """Exchange the token for a new one; log in if the venue does not exchange it."""
        stored = self._tokens.get()
        new_token = None if stored is None else self._exchange_token(stored.text, queue)
        if new_token is None:
            self._log_in(queue, instead_of=None if stored is None else stored.text)
        else:
            self._tokens.put(new_token)

    def log_out(self, queue: Queue) -> None:
        """End the shared token at the venue and drop it here; without one do nothing."""
        stored = self._tokens.get()
        if stored is None:
            return
        self._tokens.drop(stored.text)
        try:
            answer = self._transport.post(Request(LOGOUT, queue=queue, token=stored.text))
        except TokenRefusedError:  # it has ended already
            return
        if answer.get("success") is not True:
            raise RefusedError(f"{LOGOUT}: {describe_error(answer)}")

    def _renew_early(self, stored: Token, queue: Queue) -> str:
        try:
            new_token = self._exchange_token(stored.text, queue) or self._request_token(queue)
        except TickworkError as error:  # the old token is still valid
            ends = f"{stored.ends_at:%Y-%m-%d %H:%M} UTC"
            log.error("cannot renew the token, which ends at %s: %s", ends, error)  # noqa: TRY400  # expected
            return stored.text
        self._tokens.put(new_token)
        return new_token.text

    def _exchange_token(self, token: str, queue: Queue) -> Token | None:
        """Return the new token that the venue issues for a valid one, or None if it issues none."""
        try:
            answer = self._transport.post(Request(VALIDATE, queue=queue, token=token))
        except TokenRefusedError:
            return None
        text = answer.get("newToken")
        if answer.get("success") is True and isinstance(text, str) and text:
            return parse_token(text, machine_now())
        return None

    def _log_in(self, queue: Queue, *, instead_of: str | None = None) -> str:
        with self._tokens.login():
            stored = self._tokens.get()
            if stored is not None and stored.text != instead_of:
                return stored.text
            token = self._request_token(queue)
            self._tokens.put(token)
            return token.text

    def _request_token(self, queue: Queue) -> Token:
        if not self._venue.user or not self._venue.key:
            raise SettingsError("TICKWORK_VENUE_USER or TICKWORK_VENUE_KEY is not set: the venue needs both")
        body = {"userName": self._venue.user, "apiKey": self._venue.key}
        try:
            answer = self._transport.post(Request(LOGIN, body, queue, is_exit=True))
        except TokenRefusedError:
            raise CredentialsRefusedError("the venue refused the login: 401") from None
        token, code = answer.get("token"), answer.get("errorCode")
        if isinstance(token, str) and token and answer.get("success") is True:
            return parse_token(token, machine_now())
        if code == _UNKNOWN_ERROR or not isinstance(code, int):
            raise VenueDownError(f"the venue could not process the login (error {code})")
        reason = _REASONS.get(code, answer.get("errorMessage") or "no reason given")
        raise CredentialsRefusedError(f"the venue refused the login of {self._venue.user} (error {code}): {reason}")
