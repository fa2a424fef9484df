"""POST /hooks/tv/{token} and /hooks/v1/{hook_id}: an alert and its job are durable before the answer."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.clock import machine_now
from shared.db.alerts.hooks import Hook, hash_token
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.payload import BODY
from shared.domain.counting import count_of
from web.receiver.alert_store import AlertStore
from web.receiver.body import Body, BodyLateError, read_body
from web.receiver.check import TOO_LARGE, Refusal, check_body
from web.receiver.counters import Counters
from web.receiver.deadline import DatabaseDownError
from web.receiver.hook_cache import HookCache
from web.receiver.incoming import Accepted, new_incoming
from web.receiver.limits import HookLimits, MissBucket, TokenBucket
from web.receiver.problem import not_found, problem, too_many_requests
from web.receiver.scope import IS_STORING
from web.receiver.sender import AddressReader, is_listed
from web.receiver.signatures import WINDOW_S, verify

log = logging.getLogger("receiver")

_CHALLENGE = {"WWW-Authenticate": "Signature"}


class AlertAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a 202. A spooled alert is on the disk, and its job is there once Postgres is back.

    `warning` says what of an entry above the limit of an order is done, and what is denied.
    """

    job_id: UUID
    status_url: str
    duplicate: bool = False
    spooled: bool = False
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class AuthenticatedHook:
    """The hook for which a request has the right token or signature, and the delivery id of a signed one."""

    hook: Hook
    delivery_id: str | None = None


# Finds the hook of a request with this body, or the answer for one that is not let in; the flag is whether the hooks
# may be read again for an unknown one.
Authenticate = Callable[[Request, Body, bool], Awaitable[AuthenticatedHook | Response]]


class AlertRoute:
    """The routes that take alerts: address, size, token or signature, rate, meaning, then a durable row."""

    def __init__(
        self,
        cache: HookCache,
        alert_store: AlertStore,
        addresses: AddressReader,
        counters: Counters,
        *,
        receiver_url: str,
    ) -> None:
        self._cache = cache
        self._alert_store = alert_store
        self._addresses = addresses
        self._counters = counters
        self._receiver_url = receiver_url.rstrip("/")
        self._hook_limits = HookLimits()
        self._warnings = TokenBucket(1 / 60, 1)  # of each hook
        self._wrong_senders = MissBucket()

    async def post(self, request: Request) -> Response:
        """Answer 202 once the alert is durable; a wrong token gets a bare 404, and at most a shared read."""
        return await self._serve(request, self._find_by_token)

    async def post_signed(self, request: Request) -> Response:
        """Answer 202 once the alert is durable; a wrong signature gets a 401, and at most a shared read."""
        return await self._serve(request, self._find_by_signature)

    async def _serve(self, request: Request, authenticate: Authenticate) -> Response:
        try:
            body = await read_body(request)
        except BodyLateError as error:
            is_whole = False
            answer = problem(HTTPStatus.REQUEST_TIMEOUT, str(error), field=BODY, hint="send the alert at once")
        else:
            is_whole = body.is_whole
            answer = await self._answer_or_count(request, body, authenticate)
        self._counters.count(answer.status_code)
        return answer if is_whole else _with_connection_close(answer)

    async def _answer_or_count(self, request: Request, body: Body, authenticate: Authenticate) -> Response:
        """Return the answer; count one that is made of an error further up."""
        try:
            return await self._answer(request, body, authenticate)
        except DatabaseDownError:
            self._counters.count(HTTPStatus.SERVICE_UNAVAILABLE)
            raise
        except Exception:
            self._counters.count(HTTPStatus.INTERNAL_SERVER_ERROR)
            raise

    async def _answer(self, request: Request, body: Body, authenticate: Authenticate) -> Response:
        address = self._addresses.address_of(request)
        authenticated = await authenticate(request, body, self._wrong_senders.has(address))
        if isinstance(authenticated, Response):
            if self._wrong_senders.take(address):
                return authenticated
            return too_many_requests("wrong URLs or signatures from your address", 60).to_response()
        hook = authenticated.hook
        if hook.settings.senders and not is_listed(address, hook.settings.senders):
            self._warn(hook, f"an alert from {address or 'an unknown address'}, which is none of its senders")
            return problem(
                HTTPStatus.FORBIDDEN, "your address may not send alerts to this hook", hint="see `tickwork hooks show`"
            )
        if not self._hook_limits.take(hook.id, hook.settings.max_per_second):
            self._warn(hook, f"more than {count_of(hook.settings.max_per_second, 'alert')} a second")
            return too_many_requests(
                f"alerts: this hook takes {hook.settings.max_per_second} a second", 1
            ).to_response()
        checked = check_body(body.raw, hook.settings, machine_now(), self._cache.traded, is_too_large=body.is_too_large)
        request.scope[IS_STORING] = True
        outcome = await self._alert_store.add(new_incoming(hook, body.raw, checked, authenticated.delivery_id))
        _log_outcome(hook, outcome)
        warning = (
            self._cache.order_limits.describe_excess(checked, hook.id, hook.account_id)
            if isinstance(checked, Alert)
            else None
        )
        return self._to_response(outcome, warning)

    async def _find_by_token(self, request: Request, _: Body, may_read: bool) -> AuthenticatedHook | Response:  # noqa: FBT001  # see Authenticate
        hook = await self._cache.find(hash_token(request.path_params["token"]), may_read=may_read)
        return not_found() if hook is None else AuthenticatedHook(hook)

    async def _find_by_signature(self, request: Request, body: Body, may_read: bool) -> AuthenticatedHook | Response:  # noqa: FBT001  # as above
        if body.is_too_large:  # only its head is kept, so its signature cannot be verified
            return _refuse(TOO_LARGE)
        try:
            hook_id = UUID(request.path_params["hook_id"])
        except ValueError:
            return _unsigned()
        headers = request.headers.raw
        found = await self._cache.verify_signature(
            hook_id, lambda keys: verify(keys, headers, body.raw), may_read=may_read
        )
        if found is None:
            return _unsigned()
        hook, signed = found
        age_s = signed.age_s(machine_now())
        if abs(age_s) > WINDOW_S:
            return _out_of_window(age_s)
        return AuthenticatedHook(hook, signed.delivery_id)

    def _warn(self, hook: Hook, what: str) -> None:
        """Log once a minute what a hook has refused without a row: a sender is not told again."""
        if self._warnings.take(hook.id):
            log.warning("hook %s: refused %s", hook.name, what)

    def _to_response(self, outcome: Accepted | Refusal, warning: str | None) -> Response:
        if isinstance(outcome, Refusal):
            return _refuse(outcome)
        status_url = f"{self._receiver_url}/jobs/{outcome.job_id}"
        answer = AlertAnswer(outcome.job_id, status_url, outcome.is_duplicate, outcome.is_spooled, warning)
        return Response(
            msgspec.json.encode(answer),
            HTTPStatus.ACCEPTED,
            {"Location": status_url},
            media_type="application/json",
        )


def _refuse(refusal: Refusal) -> Response:
    return problem(refusal.status, refusal.wrong, field=refusal.field, hint=refusal.hint)


def _unsigned() -> Response:
    """Return the only answer to a wrong signature: the same for a hook that is unknown, removed or has no secret."""
    return problem(
        HTTPStatus.UNAUTHORIZED,
        "a valid signature is required",
        hint="sign the body as it is sent, with a secret of `tickwork hooks secret add` and the headers of its scheme",
        headers=_CHALLENGE,
    )


def _out_of_window(age_s: int) -> Response:
    """Return the answer to a right signature of another time: a request that is repeated, or a wrong clock."""
    side = "behind" if age_s > 0 else "ahead of"
    return problem(
        HTTPStatus.UNAUTHORIZED,
        f"the time of the signature is {abs(age_s)} s {side} this computer's clock",
        hint=f"sign each request when it is sent, by a clock that is right to {WINDOW_S} s",
        headers=_CHALLENGE,
    )


def _with_connection_close(answer: Response) -> Response:
    """Close the connection after the answer, so that a sender cannot trickle the rest of its body for ever."""
    answer.headers["Connection"] = "close"
    return answer


def _log_outcome(hook: Hook, outcome: Accepted | Refusal) -> None:
    match outcome:
        case Accepted():
            verb = "repeated" if outcome.is_duplicate else "spooled" if outcome.is_spooled else "accepted"
            log.debug("hook %s: alert %s, job %s", hook.name, verb, outcome.job_id)
        case Refusal():
            log.info("hook %s: alert refused with %s, %s", hook.name, outcome.status.value, outcome.wrong)
