"""The login that every call needs: one token for all processes, renewed when the venue refuses it."""

from shared.config import Venue
from shared.errors import CredentialsRefusedError, SettingsError, VenueDownError
from shared.gateway.ports import Limiter, TokenStore
from shared.gateway.transport import TokenRefusedError, Transport

PATH = "/api/Auth/loginKey"
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


class Login:
    """Hands out tokens. A second login does not end the first, so a race costs a request and nothing else."""

    def __init__(self, venue: Venue, transport: Transport, tokens: TokenStore, limiter: Limiter) -> None:
        self._venue = venue
        self._transport = transport
        self._tokens = tokens
        self._limiter = limiter

    def token(self) -> str:
        """Return the token all processes share, logging in if there is none.

        Raise CredentialsRefusedError when the venue says no, SettingsError when we have nothing to say.
        """
        return self._tokens.get() or self._log_in()

    def renew(self, refused: str) -> str:
        """Return another token than `refused`, which the venue answered with 401."""
        self.forget(refused)
        return self.token()

    def forget(self, refused: str) -> None:
        """Let no process use `refused` again."""
        self._tokens.drop(refused)

    def _log_in(self) -> str:
        if not self._venue.user or not self._venue.key:
            raise SettingsError("TICKWORK_VENUE_USER and TICKWORK_VENUE_KEY are not set: the venue asks for both")
        with self._tokens.login():
            kept = self._tokens.get()
            if kept:
                return kept
            self._limiter.acquire("other")
            try:
                answer = self._transport.post(PATH, {"userName": self._venue.user, "apiKey": self._venue.key})
            except TokenRefusedError:
                raise CredentialsRefusedError("the venue refuses the login: 401") from None
            token = answer.get("token")
            if isinstance(token, str) and token:
                self._tokens.put(token)
                return token
        code = answer.get("errorCode")
        if code == _UNKNOWN_ERROR or not isinstance(code, int):
            raise VenueDownError(f"the venue could not log us in (error {code})")
        reason = _REASONS.get(code, answer.get("errorMessage") or "no reason given")
        raise CredentialsRefusedError(f"the venue refuses the login of {self._venue.user} (error {code}): {reason}")
