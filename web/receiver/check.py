"""Checks one body: the alert that it means for its hook, or a refusal with the field and a hint."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.dialects import read_payload_in
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.alerts.parse import parse_payload
from shared.domain.alerts.payload import BODY, RefusedAlertError, has_plain_numbers
from shared.domain.market_data.symbol import Symbol
from web.receiver.body import MAX_BYTES

MAX_AHEAD = timedelta(seconds=60)  # of a sender's clock
_RESENT_WITHIN = timedelta(minutes=1)  # TradingView sends an alert again within 20 s of a 5xx


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

    A target may close another month of a traded root, so its month is left to the job.
    """
    symbol = alert.symbol if alert.target is None else Symbol(alert.symbol.text, alert.root)
    if not traded or any(map(symbol.names, traded)):
        return None
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"symbol {alert.symbol.text!r} means no contract that is traded here",
        "symbol",
        f"traded are {', '.join(traded)}: send the root or the month of one of them, or add it to TICKWORK_CONTRACTS",
        is_json=alert.is_storable,
    )


def job_key(hook_id: UUID, alert: Alert, raw: bytes, arrival_id: UUID, delivery_key: str | None) -> str:
    """Return the idempotency key of an alert: its delivery key, its id, its body if that has a time, else its arrival.

    A signed request has a delivery key, which counts for exits too: only a resend has it again. The id of an exit does
    not count: an exit is never refused, and never swallowed, because its id was used before. Nor does that of a target,
    which may close: the same target twice trades once.
    """
    if delivery_key is not None:
        return f"alert:{hook_id}:delivery:{delivery_key}"
    if alert.external_id is not None and alert.action.is_entry and alert.target is None:
        return f"alert:{hook_id}:id:{alert.external_id}"
    if alert.alert_time is not None:
        return f"alert:{hook_id}:body:{hashlib.sha256(raw).hexdigest()}"
    return f"alert:{hook_id}:sending:{arrival_id}"


def is_resend(alert: Alert, raw: bytes, first: bytes, age: timedelta, *, has_delivery_key: bool) -> bool:
    """Whether an alert with a known key is a resend of the first one, which was received `age` ago.

    A resend is the same body: with a delivery key or a time in it whenever it comes, without them only soon after the
    first. Later, or with another time, it is another alert that the sender gave the same id, and a quiet answer would
    lose a trade.
    """
    return raw == first and (has_delivery_key or alert.alert_time is not None or age <= _RESENT_WITHIN)


def refuse_known_delivery(alert: Alert, delivery_key: str, age: timedelta) -> Refusal:
    """Return the refusal of another body with the delivery id of one received `age` ago."""
    return Refusal(
        HTTPStatus.CONFLICT,
        f"delivery id {delivery_key!r} belongs to another body, received {_show_age(age)} ago, so nothing is traded",
        BODY,
        "give every alert a delivery id of its own, and a resend of it the same id and body",
        is_json=alert.is_storable,
    )


def refuse_known_id(alert: Alert, age: timedelta) -> Refusal:
    """Return the refusal of another alert with an id that belongs to one received `age` ago."""
    return Refusal(
        HTTPStatus.CONFLICT,
        f"id {alert.external_id!r} belongs to an alert received {_show_age(age)} ago, so nothing is traded",
        "id",
        "give every alert an id of its own, such as {{ticker}} {{interval}} {{strategy.order.id}} {{timenow}}: an "
        "order's name comes again",
        is_json=alert.is_storable,
    )


def _show_age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    return f"{minutes} min" if minutes else f"{int(age.total_seconds())} s"
