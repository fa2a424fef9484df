"""Checks of transport and logins: status codes, headers, tokens, sessions (venue.md sections 2 and 3)."""

import base64
from collections.abc import Iterator
from http import HTTPStatus

import msgspec

from simulator.conformance.context import CheckContext
from simulator.conformance.rest import LOGIN, decode_json, make_random_name
from simulator.conformance.results import CheckResult, Question, asks
from simulator.conformance.schema_check import describe_differences, find_answer_differences
from simulator.schemas import SCHEMAS

_ACCOUNTS, _PING, _SWAGGER = "/api/Account/search", "/api/Status/ping", "/swagger/v1/swagger.json"
_BODY = {"onlyActiveAccounts": True}

PING = Question("s2.ping", "What does ping answer without a token? (2.1)", '200 "pong", application/json')
HEADERS = Question("s2.headers", "Which headers has an answer? (2)", "-")
UNAUTHORIZED = Question(
    "s2.unauthorized", "What does a request without a token, or with a wrong one, get? (2)", "401 without a body"
)
WRONG_METHOD = Question("s2.wrong_method", "What does GET get where POST is expected? (2)", "405")
UNKNOWN_PATH = Question("s2.unknown_path", "What does an unknown path get? (2)", "404")
PATHS = Question("s5.paths", "Which endpoints does the API specification list? (5)", "the known endpoints")
LOGIN_ANSWER = Question("s3.login_answer", "Has the answer of a login the documented fields? (3.1)", "as documented")
TOKEN_LIFE = Question("s3.token_life", "How long does a token live, by its own claims? (3.5)", "24 h")
WRONG_USER = Question("s3.login_unknown_user", "What does a login of an unknown user get? (3.1)", "200 code 3")
MISSING_KEY = Question("s3.login_missing_field", "What does a login without a key get? (3.1)", "400 problem details")
VALIDATE = Question(
    "s3.validate", "Does validate return another token, and stay the old one valid? (3.3)",
    "a new token, the old one stays valid",
)  # fmt: skip
SECOND_LOGIN = Question("s3.second_login", "Does a second login leave the first token valid? (3.5)", "it stays valid")
LOGOUT = Question("q4.logout_scope", "Does logout end one token, or all of the user? (13.4)", "only its own token")


@asks(PING)
def ask_ping(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what ping answers."""
    reply = context.rest.send(_PING, method="GET", authorization="")
    text = reply.content.decode(errors="replace") if len(reply.content) < 40 else reply.describe()  # noqa: PLR2004
    yield PING.compare(f"{reply.status} {text}, {reply.content_type}")


@asks(HEADERS)
def ask_headers(context: CheckContext) -> Iterator[CheckResult]:
    """Ask which headers an answer has; the values may identify a session, so only the names are shown."""
    reply = context.rest.send(_ACCOUNTS, _BODY)
    names = ", ".join(sorted(name.lower() for name in reply.headers))
    yield HEADERS.answer(f"content-type {reply.headers.get('Content-Type')}; all: {names}")


@asks(UNAUTHORIZED)
def ask_unauthorized(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what requests without a valid token get."""
    headers = {"none": "", "garbage": "Bearer garbage", "of another scheme": "Basic Z2FyYmFnZQ=="}
    header, _, _ = context.rest.token.rpartition(".")
    headers["with a wrong signature"] = f"Bearer {header}.{'A' * 43}"
    replies = {name: context.rest.send(_ACCOUNTS, _BODY, authorization=value) for name, value in headers.items()}
    answers = {reply.describe() for reply in replies.values()}
    observed = (
        answers.pop()
        if len(answers) == 1
        else ", ".join(f"{name}: {reply.describe()}" for name, reply in replies.items())
    )
    yield UNAUTHORIZED.compare(observed)


@asks(WRONG_METHOD, UNKNOWN_PATH)
def ask_wrong_routes(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what a wrong method and an unknown path get."""
    yield WRONG_METHOD.ask(lambda: str(context.rest.send(_ACCOUNTS, method="GET").status))
    yield UNKNOWN_PATH.ask(lambda: str(context.rest.send("/api/Tickwork/none", {}).status))


@asks(PATHS)
def ask_paths(context: CheckContext) -> Iterator[CheckResult]:
    """Ask which endpoints the gateway's own specification lists."""
    reply = context.rest.send(_SWAGGER, method="GET", authorization="")
    if not isinstance(reply.document, dict) or not isinstance(reply.document.get("paths"), dict):
        yield PATHS.skip(f"{_SWAGGER} answered {reply.describe()}: open it in a browser")
        return
    listed, known = set(reply.document["paths"]), {*SCHEMAS, _PING}
    differences = [f"lists {path}" for path in sorted(listed - known)]
    differences += [f"lacks {path}" for path in sorted(known - listed)]
    yield PATHS.assess("; ".join(differences) or PATHS.expected, is_same=not differences)


@asks(LOGIN_ANSWER, TOKEN_LIFE)
def ask_login_answer(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what the login of this run was answered with."""
    differences = find_answer_differences(LOGIN, context.login.document)
    yield LOGIN_ANSWER.assess(describe_differences(differences, 1, "answer"), is_same=not differences)
    token = str(context.login.document["token"])
    claims = _read_claims(token)
    ends = claims.get("exp") if claims else None
    if claims is None or not isinstance(ends, int):
        yield TOKEN_LIFE.skip("the token is no JWT with an end: note when requests begin to get 401")
        return
    issued = claims.get("iat", claims.get("nbf"))
    life = ends - (issued if isinstance(issued, int) else int(context.login_at.timestamp()))
    observed = f"{round(life / 3600)} h"
    yield TOKEN_LIFE.compare(observed)


@asks(WRONG_USER, MISSING_KEY)
def ask_wrong_logins(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what wrong logins get, with the name of a user that does not exist."""
    name = make_random_name()
    wrong = {"userName": name, "apiKey": name}
    yield WRONG_USER.ask(lambda: context.rest.send(LOGIN, wrong, authorization="").describe())
    yield MISSING_KEY.ask(lambda: context.rest.send(LOGIN, {"userName": name}, authorization="").describe())


@asks(VALIDATE)
def ask_validate(context: CheckContext) -> Iterator[CheckResult]:
    """Ask whether validate returns a new token."""
    document = context.rest.post("/api/Auth/validate")
    old, new = context.rest.token, document.get("newToken")
    context.redactor.hide(new or "", "token")
    differences = find_answer_differences("/api/Auth/validate", document)
    words = "no token" if not new else "the same token" if new == old else "a new token"
    # With the header given, as `send` would log in for us once our token is refused.
    is_valid = context.rest.send(_ACCOUNTS, _BODY, authorization=f"Bearer {old}").is_success
    if new and not is_valid:
        context.rest.token = new
    stays = "stays valid" if is_valid else "is refused"
    observed = "; ".join([f"{words}, the old one {stays}", *differences])
    yield VALIDATE.compare(observed)


@asks(SECOND_LOGIN, LOGOUT)
def ask_sessions(context: CheckContext) -> Iterator[CheckResult]:
    """Ask whether a second login ends the first token, and what a logout of the second ends."""
    if not context.options.has_logout:
        reason = "it may end your other sessions: run again with --log-out when nothing else is logged in"
        yield from (question.skip(reason) for question in (SECOND_LOGIN, LOGOUT))
        return
    own, header = f"Bearer {context.rest.token}", f"Bearer {context.rest.log_in().document['token']}"
    first = context.rest.send(_ACCOUNTS, _BODY, authorization=own)
    yield SECOND_LOGIN.assess("it stays valid" if first.is_success else first.describe(), is_same=first.is_success)
    if not first.is_success:
        context.rest.send("/api/Auth/logout", authorization=header)
        yield LOGOUT.skip("the second login ended the first token, so nothing tells what the logout ended")
        return
    reply = context.rest.send("/api/Auth/logout", authorization=header)
    second = context.rest.send(_ACCOUNTS, _BODY, authorization=header)
    first = context.rest.send(_ACCOUNTS, _BODY, authorization=own)
    if not reply.is_success:
        observed = f"logout was answered {reply.describe()}"
    elif second.is_success:
        observed = "not even its own token"
    elif second.status != HTTPStatus.UNAUTHORIZED:
        observed = f"its own token gets {second.describe()}"
    else:
        observed = "only its own token" if first.is_success else "every token of the user"
    yield LOGOUT.compare(observed)


def _read_claims(token: str) -> dict[str, object] | None:
    """Return the claims of a JWT, or None if the token is none."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return None
    try:
        claims = decode_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, msgspec.DecodeError):
        return None
    return claims if isinstance(claims, dict) else None


CHECKS = (
    ask_ping, ask_headers, ask_unauthorized, ask_wrong_routes, ask_paths, ask_login_answer, ask_wrong_logins,
    ask_validate, ask_sessions,
)  # fmt: skip
