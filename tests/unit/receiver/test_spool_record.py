"""A spooled alert is read back as it was, also from a line that an earlier version has written."""

import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from shared.db.alerts.hooks import Hook
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.alerts.parse import parse_alert
from shared.ids import new_id
from web.receiver.check import Refusal
from web.receiver.incoming import Incoming
from web.receiver.spool_record import decode, encode

RAW = b'{"action": "close", "symbol": "MNQ"}'
AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOOK = Hook(new_id(), "mine", b"hash", None, None, 4711, HookSettings(max_age_s=5), AT, None, None)


def spooled(delivery_id: str | None, *, is_refused: bool = False) -> Incoming:
    refusal = Refusal(HTTPStatus.BAD_REQUEST, "the body is empty", "body", "send one")
    return Incoming(new_id(), new_id(), HOOK, RAW, refusal if is_refused else parse_alert(RAW), delivery_id, AT)


@pytest.mark.parametrize("is_refused", [False, True])
@pytest.mark.parametrize("delivery_id", [None, "msg_1"])
def test_an_alert_comes_back_with_its_delivery_id_and_without_its_token(
    delivery_id: str | None, *, is_refused: bool
) -> None:
    before = spooled(delivery_id, is_refused=is_refused)

    line = encode(before)
    after = decode(line)

    assert (before.id, before.job_id, before.raw, before.checked) == (after.id, after.job_id, after.raw, after.checked)
    assert (delivery_id, AT, HOOK.settings) == (after.delivery_id, after.received_at, after.hook.settings)
    assert b"" == after.hook.token_hash
    assert b"hash" not in line


def test_a_line_of_an_earlier_version_has_no_delivery_id() -> None:
    line = json.loads(encode(spooled("msg_1")))
    del line["delivery_id"]

    assert decode(json.dumps(line).encode()).delivery_id is None


def test_an_exit_of_a_clock_far_ahead_comes_back_without_that_time() -> None:
    def decoded(ahead: timedelta) -> Alert | Refusal:
        raw = json.dumps({"action": "close", "symbol": "MNQ", "timenow": (AT + ahead).isoformat()}).encode()
        return decode(encode(Incoming(new_id(), new_id(), HOOK, raw, parse_alert(raw), None, AT))).checked

    far, near = decoded(timedelta(minutes=30)), decoded(timedelta(seconds=30))

    assert isinstance(far, Alert)
    assert isinstance(near, Alert)
    assert (None, AT + timedelta(seconds=30)) == (far.sent_at, near.sent_at)


def test_a_line_that_is_no_alert_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        decode(b"no record")
