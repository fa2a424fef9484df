"""Logging in through the gateway: once for all processes, again after a token ends, with no secret in any message."""

import json
import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from shared.clock import machine_now
from shared.domain.accounts.login import parse_token
from shared.errors import CredentialsRefusedError, RetryableError, TickworkError, VenueDownError
from shared.gateway.client import GatewayClient
from tests.contract.conftest import OpenGateway, RecordingCallLog, ScriptedVenue
from tests.fixtures.venue import RunningVenue

ACCOUNTS, LOGIN = "/api/Account/search", "/api/Auth/loginKey"


def test_many_threads_and_clients_share_one_login(
    open_gateway: OpenGateway, venue: RunningVenue, calls: RecordingCallLog
) -> None:
    gateways = [open_gateway(venue.venue()) for _ in range(3)]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda number: gateways[number % 3].accounts(), range(24)))

    assert 24 == len(found)
    assert 1 == len(calls.of(LOGIN))


def test_a_read_with_an_ended_token_logs_in_and_is_sent_again(
    gateway: GatewayClient, venue: RunningVenue, calls: RecordingCallLog
) -> None:
    gateway.accounts()
    venue.faults(path=ACCOUNTS, kind="status", status=401)
    gateway.accounts()

    assert [200, 401, 200] == [call.status for call in calls.of(ACCOUNTS)]
    assert 2 == len(calls.of(LOGIN))


def test_threads_with_an_ended_token_log_in_once(
    gateway: GatewayClient, venue: RunningVenue, calls: RecordingCallLog
) -> None:
    gateway.accounts()
    venue.http.headers["Authorization"] = f"Bearer {gateway.token()}"
    venue.send("/api/Auth/logout", {})
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: gateway.accounts(), range(8)))

    assert 2 == len(calls.of(LOGIN))


def test_a_persistent_401_ends_as_a_retryable_error(gateway: GatewayClient, venue: RunningVenue) -> None:
    venue.faults(path=ACCOUNTS, kind="status", status=401, count=50)
    with pytest.raises(RetryableError):
        gateway.accounts()

    assert len(venue.requests(ACCOUNTS)) <= 6


def test_a_wrong_key_is_refused_and_appears_in_no_message(
    open_gateway: OpenGateway, venue: RunningVenue, calls: RecordingCallLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway = open_gateway(replace(venue.venue(), key="a-wrong-secret"))
    with pytest.raises(CredentialsRefusedError, match="error 3") as caught:
        gateway.accounts()

    assert "a-wrong-secret" not in f"{caught.value!r} {caplog.text} {calls.calls}"


@pytest.mark.parametrize(
    ("code", "kind"), [(7, CredentialsRefusedError), (8, VenueDownError), (9, CredentialsRefusedError)]
)
def test_a_failed_login_raises_the_error_of_its_code(
    gateway: GatewayClient, venue: RunningVenue, code: int, kind: type[TickworkError]
) -> None:
    venue.faults(path=LOGIN, kind="reject", error_code=code, count=5)
    with pytest.raises(kind):
        gateway.accounts()


@pytest.mark.parametrize("fault", ["lose_before", "lose_answer_after"])
def test_no_secret_is_in_any_message_log_or_call(
    gateway: GatewayClient, venue: RunningVenue, calls: RecordingCallLog, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.accounts()
    token = gateway.token()
    messages = []
    for path, ask in ((ACCOUNTS, gateway.accounts), ("/api/Order/cancel", lambda: gateway.cancel(1, 1))):
        venue.faults(path=path, kind=fault, count=3)
        with pytest.raises(TickworkError) as caught:
            ask()
        messages.append(f"{caught.value!r} {caught.value.__cause__!r}")

    everything = f"{messages} {caplog.text} {calls.calls}"
    assert token not in everything
    assert venue.key not in everything


def test_a_login_answer_without_a_token_is_an_error(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    scripted.says(LOGIN, token=None)
    gateway = open_gateway(scripted.venue())
    with pytest.raises(TickworkError):
        gateway.accounts()


def test_secrets_repeated_by_the_venue_appear_in_no_message(
    open_gateway: OpenGateway, scripted: ScriptedVenue, calls: RecordingCallLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    venue = scripted.venue()
    gateway = open_gateway(venue)
    text = gateway.token()
    messages = [repr(gateway), repr(venue), repr(parse_token(text, machine_now()))]
    echo = f"{text} of {venue.key}"
    for status, body in (
        (400, echo),
        (200, json.dumps({"success": False, "errorCode": 2, "errorMessage": echo})),
        (500, echo),
    ):
        scripted.script_raw("/api/Position/searchOpen", body, status=status)
        with pytest.raises(TickworkError) as caught:
            gateway.positions(1)
        messages.append("".join(traceback.format_exception(caught.value)))
    everything = f"{messages} {calls.calls} {caplog.text}"

    assert "***" in everything
    assert text not in everything
    assert venue.key not in everything
