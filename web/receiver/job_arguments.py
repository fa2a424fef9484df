"""The body of a job request as a job of its type, and its idempotency key; both pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from http import HTTPStatus

import msgspec

from shared.domain.alerts.misspelling import is_one_edit_away
from shared.domain.alerts.payload import BODY, RefusedAlertError, quote_value, read_payload
from shared.ledger.job import Job
from web.receiver.problem import RefusedRequestError

IDEMPOTENCY_KEY = "Idempotency-Key"
LONGEST_KEY = 255
LONGEST_TEXT = 500
LARGEST_NUMBER = 2**63 - 1
_QUOTED = re.compile(r'"(?:[^"\\]|\\["\\])*"')  # an RFC 8941 string, as the IETF draft writes the key
_KEY_HINT = f"expected one key of 1 to {LONGEST_KEY} printable ASCII characters, such as a UUID"
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<name>\w+)`")


def read_arguments(raw: bytes, type_: type[Job]) -> Job:
    """Return the job that a body requests; raise RefusedRequestError that names the wrong argument."""
    try:
        given = read_payload(raw)
    except RefusedAlertError as error:
        if error.field == BODY:
            raise _invalid_body(error.wrong) from None
        raise _wrong_argument(error.wrong, error.field, error.hint) from None
    names = [one.name for one in fields(type_)]
    for name in given:
        if name not in names:
            raise _unknown_argument(name, names, type_)
    try:
        job = msgspec.json.decode(raw, type=type_)
    except msgspec.ValidationError as error:
        raise _invalid_argument(str(error), given, type_) from None
    except msgspec.DecodeError as error:  # a number that JSON does not have
        raise _invalid_body(f"the body is not JSON ({error})") from None
    for name, value in msgspec.to_builtins(job).items():
        _require_size(name, value)
    return job


def _require_size(name: str, value: object) -> None:
    """Raise RefusedRequestError for a text or a whole number that the database cannot store or index."""
    match value:
        case str() if len(value) > LONGEST_TEXT:
            hint = f"expected at most {LONGEST_TEXT} characters"
            raise _wrong_argument(f"invalid {name}: text of {len(value)} characters", name, hint)
        case int() if abs(value) > LARGEST_NUMBER:
            raise _wrong_argument(f"invalid {name}: a number of {len(str(value))} digits", name, "expected 64 bits")
        case list():
            for each in value:
                _require_size(name, each)
        case dict():
            for each in value.values():
                _require_size(name, each)


def read_idempotency_key(headers: Sequence[str]) -> str | None:
    """Return the key of the Idempotency-Key headers, quoted or bare; None if there is none."""
    if not headers:
        return None
    (first, *more) = headers
    key = re.sub(r"\\(.)", r"\1", first[1:-1]) if _QUOTED.fullmatch(first) else first
    is_printable = key.isascii() and key.isprintable()
    if more or not is_printable or not 1 <= len(key) <= LONGEST_KEY or (key == first and '"' in key):
        wrong = f"{1 + len(more)} keys are given" if more else f"invalid {IDEMPOTENCY_KEY} {quote_value(first)}"
        raise RefusedRequestError(HTTPStatus.BAD_REQUEST, wrong, field=IDEMPOTENCY_KEY, hint=_KEY_HINT)
    return key


def _invalid_body(wrong: str) -> RefusedRequestError:
    hint = "send one JSON object with the arguments of the job, {} if it needs none"
    return RefusedRequestError(HTTPStatus.BAD_REQUEST, wrong, field=BODY, hint=hint)


def _wrong_argument(wrong: str, field: str, hint: str) -> RefusedRequestError:
    return RefusedRequestError(HTTPStatus.UNPROCESSABLE_ENTITY, wrong, field=field, hint=hint)


def _unknown_argument(name: str, names: Sequence[str], type_: type[Job]) -> RefusedRequestError:
    near = next((other for other in names if is_one_edit_away(name, other)), None)
    has = f"it has {', '.join(names)}" if names else "it has none"
    return _wrong_argument(
        f"{type_.job_name()} has no argument {quote_value(name)}", name[:LONGEST_KEY], f"send {near}" if near else has
    )


def _invalid_argument(message: str, given: Mapping[str, object], type_: type[Job]) -> RefusedRequestError:
    """Return the refusal for a message of msgspec, which names the argument by its path."""
    hint = f"GET /v1/openapi.json has the arguments of {type_.job_name()}"
    at, missing = _PATH.search(message), _MISSING.match(message)
    path = at["path"] if at else missing["name"] if missing else BODY
    name = re.split(r"[.\[]", path)[0]
    reason = _PATH.sub("", message)
    if missing and not at:
        return _wrong_argument(f"argument {name} is missing", name, hint)
    value = f" {quote_value(given[name])}" if name in given and path == name else ""
    return _wrong_argument(f"invalid {path}{value}: {reason[:1].lower()}{reason[1:]}", path, hint)
