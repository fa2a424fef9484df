"""Checks one body: the alert that it means for its hook, or a refusal with the field and a hint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.dialects import read_payload_in
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.alerts.parse import parse_payload
from shared.domain.alerts.payload import BODY, RefusedAlertError, has_plain_numbers
from shared.domain.market_data.symbol import Symbol
from web.receiver.body import MAX_BYTES

MAX_AHEAD = timedelta(seconds=60)  # of a sender's clock


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
    except RefusedAlertError as error:
        status = HTTPStatus.BAD_REQUEST if error.field == BODY else HTTPStatus.UNPROCESSABLE_ENTITY
        is_json = settings.dialect == "tickwork" and payload is not None and has_plain_numbers(payload)
        return Refusal(status, error.wrong, error.field, error.hint, is_json)
    if not alert.action.is_entry:
        return alert
    return _check_clock(alert, now) or _check_traded(alert, traded) or alert


def _check_clock(alert: Alert, now: datetime) -> Refusal | None:
    if alert.sent_at is None or alert.sent_at - now <= MAX_AHEAD:
        return None
    ahead = (alert.sent_at - now).total_seconds()
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"timenow is {ahead:,.0f} s ahead of this computer's clock",
        "timenow",
        f"set the clock of this computer or of the sender: at most {MAX_AHEAD.seconds} s are accepted",
        is_json=alert.is_storable,
    )


def _check_traded(alert: Alert, traded: Sequence[str]) -> Refusal | None:
    """Refuse an entry in a contract that is not traded; take any until the contracts have been fetched once.

    A target position may close another month of a traded root, so its month is left to the job.
    """
    symbol = alert.symbol if alert.target_position is None else Symbol(alert.symbol.text, alert.root)
    if not traded or any(map(symbol.names, traded)):
        return None
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"symbol {alert.symbol.text!r} means no contract that is traded here",
        "symbol",
        f"traded are {', '.join(traded)}: send the root or the month of one of them, or add it to TICKWORK_CONTRACTS",
        is_json=alert.is_storable,
    )
