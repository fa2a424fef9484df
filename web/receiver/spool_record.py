"""An incoming alert as the spool keeps it: what is needed to store it later as it would have been stored at once."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

import msgspec

from shared.db.alerts.hooks import Hook
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.receivable import drop_future_time
from shared.errors import InvalidAlertError
from web.receiver.check import Refusal
from web.receiver.incoming import Incoming


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a line."""

    id: UUID
    job_id: UUID
    hook_id: UUID
    hook_name: str
    account_id: int
    settings: HookSettings
    created_at: datetime
    raw: bytes
    received_at: datetime
    delivery_id: str | None = None  # in no line of an earlier version
    follower_ids: tuple[int, ...] = ()  # likewise
    refusal: tuple[int, str, str, str, bool] | None


_DECODER = msgspec.json.Decoder(_Record)


def encode(incoming: Incoming) -> bytes:
    """Return the bytes of a spooled alert, without the token of its hook."""
    hook, checked = incoming.hook, incoming.checked
    assert incoming.received_at is not None  # noqa: S101  # the spool's alerts have one
    return msgspec.json.encode(
        _Record(
            id=incoming.id,
            job_id=incoming.job_id,
            hook_id=hook.id,
            hook_name=hook.name,
            account_id=hook.account_id,
            settings=hook.settings,
            created_at=hook.created_at,
            raw=incoming.raw,
            received_at=incoming.received_at,
            delivery_id=incoming.delivery_id,
            follower_ids=tuple(hook.follower_ids),
            refusal=(checked.status.value, checked.wrong, checked.field, checked.hint, checked.is_json)
            if isinstance(checked, Refusal)
            else None,
        )
    )


def decode(line: bytes) -> Incoming:
    """Return the alert of a line; raise ValueError if it is none."""
    try:
        record = _DECODER.decode(line)
        checked = _check(record)
    except (msgspec.DecodeError, InvalidAlertError) as error:
        raise ValueError(str(error)) from None
    hook = Hook(
        id=record.hook_id,
        name=record.hook_name,
        token_hash=b"",
        previous_token_hash=None,
        previous_token_until=None,
        account_id=record.account_id,
        settings=record.settings,
        created_at=record.created_at,
        paused_at=None,
        removed_at=None,
        follower_ids=record.follower_ids,
    )
    return Incoming(record.id, record.job_id, hook, record.raw, checked, record.delivery_id, record.received_at)


def _check(record: _Record) -> Alert | Refusal:
    if record.refusal is not None:
        status, wrong, field, hint, is_json = record.refusal
        return Refusal(HTTPStatus(status), wrong, field, hint, is_json)
    alert = apply_settings(parse_alert(record.raw, record.settings.dialect), record.settings)
    return drop_future_time(alert, record.received_at)
