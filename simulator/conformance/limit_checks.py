"""Checks of the request limit of bars: how many pass, what a 429 has, when the next passes (venue.md section 4)."""

from collections.abc import Iterator
from http import HTTPStatus

from shared.clock import monotonic
from shared.errors import VenueDownError
from simulator.conformance.budget import BARS, wait_seconds
from simulator.conformance.context import CheckContext
from simulator.conformance.rest import GatewayReply
from simulator.conformance.results import CheckResult, Question, asks

_WINDOW_S, _MOST_TRIED, _WAITS = 31.0, 60, 45
_LIMIT_S = 30.0  # the window of the limit

PASSED = Question("q3.bars_limit", "How many requests for bars pass in 30 s? (4, 13.3)", "50")
BODY = Question("q3.limited_answer", "What has the answer of a refused request? (4, 13.3)", "429 without a body")
HEADERS = Question("q3.limited_headers", "Which headers tell when to try again? (13.3)", "none")
WINDOW = Question("q3.window", "When does a request pass again, since the first one? (4, 13.3)", "after 30 s (sliding)")
SCOPE = Question("q3.limit_scope", "Does a second login have a window of its own? (13.3)", "no")


@asks(PASSED, BODY, HEADERS, WINDOW, SCOPE)
def ask_limits(context: CheckContext) -> Iterator[CheckResult]:
    """Exceed the limit of bars once, only if --rate-limits is given."""
    questions = (PASSED, BODY, HEADERS, WINDOW, SCOPE)
    if not context.options.has_rate_limits:
        reason = "it spends the limit of every program with this key: run again with --rate-limits when no other runs"
        yield from (question.skip(reason) for question in questions)
        return
    # Before the limit is spent: a login may have to wait for its own limit, and the window would be over then. The new
    # token measures the limit, as the login may have ended the first one.
    other_token, context.rest.token = context.rest.token, context.rest.log_in().document["token"]
    wait_seconds(_WINDOW_S)
    began, passed = monotonic(), 0
    while passed < _MOST_TRIED and (reply := _send(context)).status == HTTPStatus.OK:
        passed += 1
    took = monotonic() - began
    too_slow = f"{passed} requests took {took:.0f} s: run again where answers take less than half a second"
    if passed == _MOST_TRIED:
        yield (
            PASSED.skip(too_slow) if took > _LIMIT_S else PASSED.assess(f"all {passed} in {took:.0f} s", is_same=False)
        )
        yield from (question.skip("no request was refused") for question in questions[1:])
        return
    yield PASSED.skip(too_slow) if took > _LIMIT_S else PASSED.compare(str(passed))
    yield BODY.compare(reply.describe())
    names = sorted(f"{name}: {value}" for name, value in reply.headers.items() if "ratelimit" in _bare(name))
    names += [f"Retry-After: {reply.headers['Retry-After']}"] if "Retry-After" in reply.headers else []
    yield HEADERS.compare("; ".join(names) or "none")
    other = _send(context, f"Bearer {other_token}")
    if monotonic() - began > _LIMIT_S:  # the window has moved on, so another request passes
        yield from (question.skip(too_slow) for question in (SCOPE, WINDOW))
        return
    if other.status == HTTPStatus.UNAUTHORIZED:
        yield SCOPE.skip("the second login ended the first token")
    else:
        yield SCOPE.compare("yes" if other.status == HTTPStatus.OK else "no")
    yield _assess_window(context, began)


def _assess_window(context: CheckContext, began: float) -> CheckResult:
    """Try once a second; in a sliding window one request passes as soon as the first is 30 s old."""
    for _ in range(_WAITS):
        wait_seconds(1)
        if _send(context).status == HTTPStatus.OK:
            since = monotonic() - began
            is_same = 29 <= since <= 33  # noqa: PLR2004 - 30 s, by a look each second
            return WINDOW.assess(WINDOW.expected if is_same else f"after {since:.0f} s", is_same=is_same)
    return WINDOW.assess(f"not within {_WAITS} s", is_same=False)


def _send(context: CheckContext, authorization: str | None = None) -> GatewayReply:
    """Ask for a bar and return the answer, a 200 or a 429, or a 401 to a token that is not our own.

    Raise VenueDownError for any other answer, which tells nothing.
    """
    body = context.bars_body(context.market_now, context.market_now, limit=1)
    reply = context.rest.send(BARS, body, authorization=authorization, is_counted=False)
    answers = {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS} | ({HTTPStatus.UNAUTHORIZED} if authorization else set())
    if reply.status not in answers:
        raise VenueDownError(f"{BARS} answered {reply.describe()}, expected a 200 or a 429")
    return reply


def _bare(name: str) -> str:
    return name.lower().replace("-", "")


CHECKS = (ask_limits,)
