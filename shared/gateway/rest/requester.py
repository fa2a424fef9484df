"""Asks the venue for the jobs of one queue: questions are repeated when that may help, mutations never are."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import tenacity

from shared.clock import monotonic
from shared.errors import AmbiguousOutcomeError, OrderRejectedError, RateLimitedError, RefusedError, VenueDownError
from shared.fleets import Queue
from shared.gateway.errors import BudgetSpentError, NotSentError, TagInUseError
from shared.gateway.ports import LiveSwitch
from shared.gateway.rest.auth import Login
from shared.gateway.rest.transport import Request, TokenRefusedError, Transport, complaint

T = TypeVar("T")

# Below what a renewed lease surely has left (10 s, renewed every 3 s): no other worker may act while a call is out.
TIMEOUT = timedelta(seconds=6)
# A slot is not held by waiting: what takes longer than this goes back to the job's row.
_WAITED_FOR = timedelta(seconds=0.5)
_TRIES = 3
_TAG_IN_USE = "custom tag is already in use"
_jitter = tenacity.wait_random_exponential(multiplier=0.05, max=0.3)


def _may_help(error: BaseException) -> bool:
    if isinstance(error, RateLimitedError):
        return error.retry_after <= _WAITED_FOR
    return isinstance(error, VenueDownError | NotSentError)


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    at_least_s = error.retry_after.total_seconds() if isinstance(error, RateLimitedError) else 0.0
    return at_least_s + _jitter(state)


class Requester:
    """Asks in the name of one queue; mutations only as far as the live switch lets them."""

    def __init__(
        self, transport: Transport, login: Login, queue: Queue, timeout: timedelta, switch: LiveSwitch
    ) -> None:
        self.transport = transport
        self.login = login
        self.queue = queue
        self._timeout = timeout
        self._switch = switch

    def for_queue(self, queue: Queue) -> "Requester":
        """Return one that asks in the name of another queue, over the same connections."""
        return Requester(self.transport, self.login, queue, self._timeout, self._switch)

    @tenacity.retry(
        retry=tenacity.retry_if_exception(_may_help),
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=_pause,
        reraise=True,
    )
    def read(self, path: str, body: Mapping[str, Any], *, absent: int | None = None) -> dict[str, Any]:
        """Return the answer; `absent` is the error code, if any, that only says that there is none."""
        token = self.login.token(self.queue)
        try:
            answer = self.transport.post(Request(path, body, self.queue, token))
        except TokenRefusedError:
            token = self.login.renewed(token, self.queue)
            try:
                answer = self.transport.post(Request(path, body, self.queue, token))
            except TokenRefusedError:
                raise NotSentError(f"{path}: the venue refuses a token that it has just given us") from None
        code, success = answer.get("errorCode"), answer.get("success")
        if (success is True and code == 0) or (success is False and code is not None and code == absent):
            return answer
        if success is not False or not isinstance(code, int) or code == 0:
            raise VenueDownError(f"{path}: the answer contradicts itself: success {success}, {complaint(answer)}")
        raise RefusedError(f"{path}: {complaint(answer)}")

    def read_list(
        self, path: str, body: Mapping[str, Any], field: str, translate: Callable[[dict[str, Any]], T]
    ) -> list[T]:
        """Return the translated rows of an answer; only an explicit list proves that there is none."""
        found = self.read(path, body).get(field)
        if not isinstance(found, list):
            raise VenueDownError(f"{path}: the answer holds no list of {field}")
        return [translated(path, translate, one) for one in found]

    def mutate(
        self, path: str, body: Mapping[str, Any], definite: Collection[int], *, is_entry: bool = False
    ) -> dict[str, Any]:
        """Send a mutation of the account that `body` names, once, and return the answer of one that was done.

        `definite` are the error codes that say it was not done. Raise OrderRejectedError for those, NotSentError when
        it certainly did not reach the venue (BudgetSpentError when our own limit kept it), TagInUseError when the tag
        is known there, AmbiguousOutcomeError when nobody knows.
        """
        account_id = body["accountId"]
        if not self._switch.lets_through(account_id, is_entry=is_entry):
            raise RefusedError(
                f"{path}: live orders of account {account_id} are off, nothing was sent: "
                f"`tickwork accounts live {account_id} on` lets orders reach the real venue"
            )
        ends = monotonic() + self._timeout.total_seconds()
        try:
            token = self.login.token(self.queue, may_renew=False)
            answer = self.transport.post(Request(path, body, self.queue, token, is_mutation=True, ends=ends))
        except RateLimitedError as error:
            raise BudgetSpentError(str(error), error.retry_after) from None
        except TokenRefusedError:  # nothing was done; the job that asks again logs in first, while its lease is young
            self.login.forget(token)
            raise NotSentError(f"{path}: the token has run out") from None
        code, success = answer.get("errorCode"), answer.get("success")
        if success is True and code == 0:
            return answer
        if success is not False or code not in definite:
            raise AmbiguousOutcomeError(f"{path}: {complaint(answer)}")
        if _TAG_IN_USE in str(answer.get("errorMessage")).lower():
            raise TagInUseError(f"{path}: {complaint(answer)}")
        raise OrderRejectedError(f"{path}: {complaint(answer)}")


def translated(path: str, translate: Callable[[dict[str, Any]], T], found: dict[str, Any]) -> T:
    """Return a row of an answer in our words; raise VenueDownError if it cannot be read."""
    try:
        return translate(found)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise VenueDownError(f"{path}: the answer cannot be read: {type(error).__name__}: {error}") from error
