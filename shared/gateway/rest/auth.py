"""The login that every call needs: one token for all processes, renewed before it ends or when the venue refuses it."""

import logging

from shared.clock import machine_now
from shared.config import VenueSettings
from shared.domain.accounts.login import Token, token_of
from shared.errors import CredentialsRefusedError, RefusedError, SettingsError, TickworkError, VenueDownError
from shared.fleets import Queue
from shared.gateway.ports import TokenStore
from shared.gateway.rest.transport import Request, TokenRefusedError, Transport, complaint

LOGIN, VALIDATE, LOGOUT = "/api/Auth/loginKey", "/api/Auth/validate", "/api/Auth/logout"
_UNKNOWN_ERROR = 8
# Source: venue.md section 3.1.
_REASONS = {
    1: "the user name is unknown",
    2: "the key is wrong",
    3: "user name or key is wrong",
    7: "agreements are not signed: log in to the platform and sign them",
    9: "the account has no active API subscription, or it is not linked",
    10: "logging in by key is disabled",
}

log = logging.getLogger(__name__)


class Login:
    """Hands out tokens. A second login does not end the first, so a race costs a request and nothing else."""

    def __init__(self, venue: VenueSettings, transport: Transport, tokens: TokenStore) -> None:
        self._venue = venue
        self._transport = transport
        self._tokens = tokens

    def token(self, queue: Queue, *, may_renew: bool = True) -> str:
        """Return the token all processes share, logging in if there is none, renewing it first if it is our turn.

        Raise CredentialsRefusedError when the venue says no, SettingsError when we have nothing to say.
        """
        kept = self._tokens.get()
        if kept is None:
            return self._log_in(queue)
        if may_renew and kept.renew_at <= machine_now() and self._tokens.may_renew():
            return self._renewed_early(kept, queue)
        return kept.text

    def is_at_hand(self) -> bool:
        """Whether there is a token that serves without asking the venue for anything."""
        kept = self._tokens.get()
        return kept is not None and machine_now() < kept.renew_at

    def renewed(self, refused: str, queue: Queue) -> str:
        """Return another token than `refused`, which the venue answered with 401."""
        self.forget(refused)
        return self.token(queue)

    def forget(self, refused: str) -> None:
        """Let no process use `refused` again."""
        self._tokens.drop(refused)

    def validate(self, queue: Queue) -> None:
        """Exchange the token for a fresh one, by logging in if the venue does not give one for it."""
        kept = self._tokens.get()
        fresh = None if kept is None else self._validated(kept.text, queue)
        if fresh is None:
            self._log_in(queue, instead_of=None if kept is None else kept.text)
        else:
            self._tokens.put(fresh)

    def log_out(self, queue: Queue) -> None:
        """End the shared token at the venue and here; without one there is nothing to do."""
        kept = self._tokens.get()
        if kept is None:
            return
        self._tokens.drop(kept.text)
        try:
            answer = self._transport.post(Request(LOGOUT, queue=queue, token=kept.text))
        except TokenRefusedError:  # it had ended already
            return
        if answer.get("success") is not True:
            raise RefusedError(f"{LOGOUT}: {complaint(answer)}")

    def _renewed_early(self, kept: Token, queue: Queue) -> str:
        try:
            fresh = self._validated(kept.text, queue) or self._asked_for(queue)
        except TickworkError as error:  # the old one still serves
            log.error("the token is not renewed, and ends at %s: %s", f"{kept.ends_at:%Y-%m-%d %H:%M} UTC", error)  # noqa: TRY400  # foreseen
            return kept.text
        self._tokens.put(fresh)
        return fresh.text

    def _validated(self, token: str, queue: Queue) -> Token | None:
        """Return the token that the venue gives for a good one, or None if it gives none."""
        try:
            answer = self._transport.post(Request(VALIDATE, queue=queue, token=token))
        except TokenRefusedError:
            return None
        text = answer.get("newToken")
        if answer.get("success") is True and isinstance(text, str) and text:
            return token_of(text, machine_now())
        return None

    def _log_in(self, queue: Queue, *, instead_of: str | None = None) -> str:
        with self._tokens.login():
            kept = self._tokens.get()
            if kept is not None and kept.text != instead_of:
                return kept.text
            token = self._asked_for(queue)
            self._tokens.put(token)
            return token.text

    def _asked_for(self, queue: Queue) -> Token:
        if not self._venue.user or not self._venue.key:
            raise SettingsError("TICKWORK_VENUE_USER and TICKWORK_VENUE_KEY are not set: the venue asks for both")
        body = {"userName": self._venue.user, "apiKey": self._venue.key}
        try:
            answer = self._transport.post(Request(LOGIN, body, queue))
        except TokenRefusedError:
            raise CredentialsRefusedError("the venue refuses the login: 401") from None
        token, code = answer.get("token"), answer.get("errorCode")
        if isinstance(token, str) and token and answer.get("success") is True:
            return token_of(token, machine_now())
        if code == _UNKNOWN_ERROR or not isinstance(code, int):
            raise VenueDownError(f"the venue could not log us in (error {code})")
        reason = _REASONS.get(code, answer.get("errorMessage") or "no reason given")
        raise CredentialsRefusedError(f"the venue refuses the login of {self._venue.user} (error {code}): {reason}")
