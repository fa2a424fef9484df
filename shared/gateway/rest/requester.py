"""Requests to the venue for the jobs of one queue: reads are retried where that may help, mutations never are."""

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
from shared.gateway.rest.transport import Request, TokenRefusedError, Transport, describe_error

T = TypeVar("T")

# Below the time that a renewed lease has left (10 s, renewed every 3 s): no other worker may act during a call.
TIMEOUT = timedelta(seconds=6)
# A worker slot does not wait for longer: the job is rescheduled instead.
_LONGEST_WAIT = timedelta(seconds=0.5)
_MOST_ATTEMPTS = 3
_LATEST_ATTEMPT = timedelta(seconds=2)  # after a read that has hung, the caller goes on without it
_TAG_IN_USE = "custom tag is already in use"
_jitter = tenacity.wait_random_exponential(multiplier=0.05, max=0.3)


def _is_worth_retrying(error: BaseException) -> bool:
    if isinstance(error, RateLimitedError):
        return error.retry_after <= _LONGEST_WAIT
    return isinstance(error, VenueDownError | NotSentError)


def _retry_delay_s(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    at_least_s = error.retry_after.total_seconds() if isinstance(error, RateLimitedError) else 0.0
    return at_least_s + _jitter(state)


class Requester:
    """Sends requests for the jobs of one queue; mutations only if the live switch permits them."""

    def __init__(
        self, transport: Transport, login: Login, queue: Queue, timeout: timedelta, switch: LiveSwitch
    ) -> None:
        self.transport = transport
        self.login = login
        self.queue = queue
        self._timeout = timeout
        self._switch = switch

    def for_queue(self, queue: Queue) -> "Requester":
        """Return a requester for another queue, over the same connections."""
        return Requester(self.transport, self.login, queue, self._timeout, self._switch)

    @tenacity.retry(
        retry=tenacity.retry_if_exception(_is_worth_retrying),
        stop=tenacity.stop_after_attempt(_MOST_ATTEMPTS) | tenacity.stop_after_delay(_LATEST_ATTEMPT),
        wait=_retry_delay_s,
        reraise=True,
    )
    def read(
        self, path: str, body: Mapping[str, Any], *, absent: int | None = None, is_exit: bool = False
    ) -> dict[str, Any]:
        """Return the answer, also with the error code `absent`, which means only that nothing was found."""
        token = self.login.token(self.queue)
        try:
            answer = self.transport.post(Request(path, body, self.queue, token, is_exit=is_exit))
        except TokenRefusedError:
            token = self.login.replace_token(token, self.queue)
            try:
                answer = self.transport.post(Request(path, body, self.queue, token, is_exit=is_exit))
            except TokenRefusedError:
                raise NotSentError(f"{path}: the venue refused a token that it has just issued") from None
        code, success = answer.get("errorCode"), answer.get("success")
        if (success is True and code == 0) or (success is False and code is not None and code == absent):
            return answer
        if success is not False or not isinstance(code, int) or code == 0:
            raise VenueDownError(f"{path}: the answer contradicts itself: success {success}, {describe_error(answer)}")
        raise RefusedError(f"{path}: {describe_error(answer)}")

    def read_list(
        self,
        path: str,
        body: Mapping[str, Any],
        field: str,
        translate: Callable[[dict[str, Any]], T],
        *,
        is_exit: bool = False,
    ) -> list[T]:
        """Return the translated rows of an answer; raise VenueDownError unless it has a list."""
        found = self.read(path, body, is_exit=is_exit).get(field)
        if not isinstance(found, list):
            raise VenueDownError(f"{path}: invalid answer: expected a list '{field}'")
        return [translate_row(path, translate, one) for one in found]

    def mutate(
        self,
        path: str,
        body: Mapping[str, Any],
        definite: Collection[int],
        *,
        is_entry: bool = False,
        is_exit: bool = False,
    ) -> dict[str, Any]:
        """Send a mutation of the account in `body`, once, and return the answer of one that was done.

        `definite` are the error codes after which it was certainly not done. Raise OrderRejectedError for those,
        NotSentError when it certainly did not reach the venue (BudgetSpentError when our own limit stopped it),
        TagInUseError when the venue knows the tag already, AmbiguousOutcomeError when the outcome is in doubt.
        """
        account_id = body["accountId"]
        if not self._switch.may_send(account_id, is_entry=is_entry):
            raise RefusedError(
                f"{path}: live orders of account {account_id} are off, and nothing was sent: "
                f"`tickwork accounts live {account_id} on` lets orders reach the real venue"
            )
        ends = monotonic() + self._timeout.total_seconds()
        try:
            token = self.login.token(self.queue, may_renew=False)
            request = Request(path, body, self.queue, token, is_mutation=True, is_exit=is_exit, ends=ends)
            answer = self.transport.post(request)
        except RateLimitedError as error:
            raise BudgetSpentError(str(error), error.retry_after) from None
        except TokenRefusedError:  # nothing was done; the next attempt logs in first, at the start of its lease
            self.login.forget(token)
            raise NotSentError(f"{path}: the venue refused the token: 401") from None
        code, success = answer.get("errorCode"), answer.get("success")
        if success is True and code == 0:
            return answer
        if success is not False or code not in definite:
            raise AmbiguousOutcomeError(f"{path}: {describe_error(answer)}")
        if _TAG_IN_USE in str(answer.get("errorMessage")).lower():
            raise TagInUseError(f"{path}: {describe_error(answer)}")
        raise OrderRejectedError(f"{path}: {describe_error(answer)}")


def translate_row(path: str, translate: Callable[[dict[str, Any]], T], found: dict[str, Any]) -> T:
    """Translate a row of an answer; raise VenueDownError if it is malformed."""
    try:
        return translate(found)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise VenueDownError(f"{path}: cannot read the answer: {type(error).__name__}: {error}") from error
