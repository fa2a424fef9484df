"""Checks of the leniency of the request parser, with requests that change nothing (venue.md sections 2, 7.6)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from simulator.conformance.budget import BARS
from simulator.conformance.context import CheckContext
from simulator.conformance.results import Check, CheckResult, Question, asks

_ACCOUNTS, _OPEN, _BY_ID = "/api/Account/search", "/api/Order/searchOpen", "/api/Contract/searchById"
_OK, _PROBLEM = "200 success", "400 problem details"


@dataclass(frozen=True, slots=True)
class LeniencyRequest:
    """A request: its path, and its body as JSON or as raw bytes."""

    path: str
    body: Callable[[CheckContext], Any]
    raw: bytes | None = None
    content_type: str = "application/json"


def _open(name: str, value: Callable[[CheckContext], object]) -> LeniencyRequest:
    return LeniencyRequest(_OPEN, lambda context: {name: value(context)})


def _raw(raw: bytes, content_type: str = "application/json") -> LeniencyRequest:
    return LeniencyRequest(_ACCOUNTS, lambda _: None, raw, content_type)


def _account_id(context: CheckContext) -> int:
    return context.account_id


# The end of the id, what is sent, and the expected answer.
_REQUESTS: Mapping[tuple[str, str, str], LeniencyRequest] = {
    ("number_as_text", "an account id as text", _OK): _open("accountId", lambda context: str(context.account_id)),
    ("number_as_words", "an account id that is no number", _PROBLEM): _open("accountId", lambda _: "none"),
    ("name_capital", "the name AccountId", _OK): _open("AccountId", _account_id),
    ("name_upper", "the name ACCOUNTID", _OK): _open("ACCOUNTID", _account_id),
    ("unknown_field", "an unknown field", _OK): LeniencyRequest(
        _OPEN, lambda context: {"accountId": context.account_id, "tickwork": 1}
    ),
    ("enum_as_name", "the unit Minute in place of 2", _PROBLEM): LeniencyRequest(
        BARS, lambda context: context.bars_body(context.market_now, context.market_now, unit="Minute")
    ),
    ("null_number", "null in place of a number", _PROBLEM): _open("accountId", lambda _: None),
    ("missing_text", "no contractId", _PROBLEM): LeniencyRequest(_BY_ID, lambda _: {}),
    ("number_too_large", "an account id above int32", _PROBLEM): _open("accountId", lambda _: 2**40),
    ("no_body", "no body", _PROBLEM): _raw(b""),
    ("not_json", "a body that is no JSON", _PROBLEM): _raw(b"{onlyActive"),
    ("array", "an array", _PROBLEM): _raw(b"[]"),
    ("null_body", "null", _PROBLEM): _raw(b"null"),
}  # fmt: skip

REQUESTS = {
    Question(f"s2.lenient_{end}", f"What does {what} get? (2, 7.6)", expected): request
    for (end, what, expected), request in _REQUESTS.items()
}
# [SIM] The simulator is stricter or more lenient here than ASP.NET may be; no document says anything.
BOOLEAN = Question("s2.lenient_boolean_as_text", 'What does "true" in place of true get? (2, 7.6)', _PROBLEM)
MISSING = Question(
    "s2.lenient_missing_value", "What do a missing boolean and a missing number get? (2)", f"200 success, {_PROBLEM}"
)
CONTENT_TYPE = Question("s2.content_type", "What does a JSON body of type text/plain get? (2)", _OK)
PROBLEM_FIELDS = Question(
    "s2.problem_fields", "Which fields has the body of a 400? (2)",
    "errors, status, title, type (application/problem+json)",
)  # fmt: skip
PROBLEM_ERRORS = Question("s2.problem_errors", "Which errors has the 400 of an account id that is a word? (2)", "-")


def _send(context: CheckContext, request: LeniencyRequest) -> str:
    reply = context.rest.send(request.path, request.body(context), raw=request.raw, content_type=request.content_type)
    return reply.describe()


@asks(*REQUESTS)
def ask_requests(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how lenient the parser is."""
    for question, request in REQUESTS.items():
        yield question.ask(partial(_send, context, request))


@asks(BOOLEAN, MISSING, CONTENT_TYPE)
def ask_our_choices(context: CheckContext) -> Iterator[CheckResult]:
    """Ask where the simulator's leniency is its own choice."""
    yield BOOLEAN.ask(lambda: context.rest.send(_ACCOUNTS, {"onlyActiveAccounts": "true"}).describe())
    yield MISSING.ask(lambda: ", ".join(context.rest.send(path, {}).describe() for path in (_ACCOUNTS, _OPEN)))
    yield CONTENT_TYPE.ask(lambda: _send(context, _raw(b'{"onlyActiveAccounts": true}', "text/plain")))


@asks(PROBLEM_FIELDS, PROBLEM_ERRORS)
def ask_problem(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what the body of a 400 has."""
    reply = context.rest.send(_OPEN, {"accountId": "none"})
    if reply.status != HTTPStatus.BAD_REQUEST or not isinstance(reply.document, dict):
        yield PROBLEM_FIELDS.compare(reply.describe())
        yield PROBLEM_ERRORS.answer(reply.describe())
        return
    yield PROBLEM_FIELDS.compare(f"{', '.join(sorted(reply.document))} ({reply.content_type})")
    errors = reply.document.get("errors")
    yield PROBLEM_ERRORS.answer("; ".join(f"{name}: {text}" for name, text in errors.items()) if errors else "none")


CHECKS: tuple[Check, ...] = (ask_requests, ask_our_choices, ask_problem)
