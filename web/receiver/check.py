"""Checks one body: the alert that it means for its hook, or a refusal with the field and a hint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.dialects import read_payload_in
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.alerts.parse import parse_payload
from shared.domain.alerts.payload import BODY, RefusedAlertError, has_plain_numbers
from shared.domain.alerts.receivable import drop_future_time, require_receivable
from web.receiver.body import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why an alert is refused; with `is_json` its body is also stored as jsonb."""

    status: HTTPStatus
    wrong: str
    field: str
    hint: str
    is_json: bool = False


TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    f"the body is larger than {MAX_BYTES} bytes",
    BODY,
    "send one alert, with fewer or shorter fields",
)


def check_body(
    raw: bytes, settings: HookSettings, now: datetime, traded: Sequence[str], *, is_too_large: bool = False
) -> Alert | Refusal:
    """Return the alert in a body as its hook trades it, or its refusal; of a body too large `raw` is the head.

    `traded` are the ids of the active contracts, empty while they are not known.
    """
    if is_too_large:
        return TOO_LARGE
    payload = None
    try:
        payload = read_payload_in(settings.dialect, raw)
        alert = apply_settings(parse_payload(payload), settings)
        require_receivable(alert, now, traded)
    except RefusedAlertError as error:
        status = HTTPStatus.BAD_REQUEST if error.field == BODY else HTTPStatus.UNPROCESSABLE_ENTITY
        is_json = settings.dialect == "tickwork" and payload is not None and has_plain_numbers(payload)
        return Refusal(status, error.wrong, error.field, error.hint, is_json)
    return drop_future_time(alert, now)
