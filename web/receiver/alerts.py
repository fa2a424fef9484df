"""POST /hooks/tv/{token}: an alert and its job are durable before the answer."""

import logging
from http import HTTPStatus
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.clock import machine_now
from shared.db.alerts import hooks
from shared.db.alerts.hooks import Hook
from shared.domain.alerts.payload import BODY
from web.receiver.body import BodyLateError, read_body
from web.receiver.check import Refusal, check_body
from web.receiver.counters import Counters
from web.receiver.hook_cache import HookCache
from web.receiver.intake import Accepted, Intake, new_incoming
from web.receiver.limits import WRONG_TOKENS_PER_MINUTE, HookLimits, TokenBucket
from web.receiver.problem import not_found, problem
from web.receiver.sender import AddressReader, is_listed

log = logging.getLogger("receiver")


class AlertAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a 202. A spooled alert is on the disk, and its job is there once Postgres is back."""

    job_id: UUID
    status_url: str
    duplicate: bool = False
    spooled: bool = False


class AlertRoute:
    """The route that takes alerts: address, size, token, rate, meaning, then a durable row."""

    def __init__(
        self, cache: HookCache, intake: Intake, addresses: AddressReader, counters: Counters, *, receiver_url: str
    ) -> None:
        self._cache = cache
        self._intake = intake
        self._addresses = addresses
        self._counters = counters
        self._receiver_url = receiver_url.rstrip("/")
        self._hook_limits = HookLimits()
        self._wrong_tokens = TokenBucket(WRONG_TOKENS_PER_MINUTE / 60, WRONG_TOKENS_PER_MINUTE)

    async def post(self, request: Request) -> Response:
        """Answer 202 once the alert is durable; a wrong token gets a bare 404, and costs no database work."""
        try:
            body = await read_body(request)
        except BodyLateError as error:
            answer = problem(HTTPStatus.REQUEST_TIMEOUT, str(error), field=BODY, hint="send the alert at once")
            return _with_connection_close(answer)
        answer = await self._answer(request, body.raw, is_too_large=body.is_too_large)
        self._counters.count(answer.status_code)
        return answer if body.is_whole else _with_connection_close(answer)

    async def _answer(self, request: Request, raw: bytes, *, is_too_large: bool) -> Response:
        address = self._addresses.address_of(request)
        hook = await self._cache.find(hooks.token_hash(request.path_params["token"]))
        if hook is None:
            return not_found() if self._wrong_tokens.take(address) else _too_many("wrong URLs from your address", 60)
        if hook.settings.senders and not is_listed(address, hook.settings.senders):
            return problem(
                HTTPStatus.FORBIDDEN, "your address may not send alerts to this hook", hint="see `tickwork hooks show`"
            )
        if not self._hook_limits.take(hook.id, hook.settings.max_per_second):
            return _too_many(f"alerts: this hook takes {hook.settings.max_per_second} a second", 1)
        checked = check_body(raw, hook.settings, machine_now(), self._cache.traded, is_too_large=is_too_large)
        outcome = await self._intake.store(new_incoming(hook, raw, checked))
        _log_outcome(hook, outcome)
        return self._to_response(outcome)

    def _to_response(self, outcome: Accepted | Refusal) -> Response:
        if isinstance(outcome, Refusal):
            return problem(outcome.status, outcome.wrong, field=outcome.field, hint=outcome.hint)
        status_url = f"{self._receiver_url}/jobs/{outcome.job_id}"
        return Response(
            msgspec.json.encode(AlertAnswer(outcome.job_id, status_url, outcome.is_duplicate, outcome.is_spooled)),
            HTTPStatus.ACCEPTED,
            {"Location": status_url},
            media_type="application/json",
        )


def _too_many(what: str, seconds: int) -> Response:
    return problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"too many {what}",
        hint=f"send again in {seconds} s",
        headers={"Retry-After": str(seconds)},
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
