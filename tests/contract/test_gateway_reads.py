"""Reads through the gateway: from the simulator, and from a venue with unusual, broken or late answers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.errors import RateLimitedError, RefusedError, VenueDownError
from shared.gateway.client import GatewayClient
from tests.contract.conftest import LASTING, OpenGateway, RecordingCallLog, ScriptedVenue
from tests.fixtures.forked import freeze_limits_clock
from tests.fixtures.venue import MNQ, OPEN_AT, RunningVenue

ACCOUNTS, BARS, POSITIONS = "/api/Account/search", "/api/History/retrieveBars", "/api/Position/searchOpen"
CONTRACT = Contract(MNQ, "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)
ENVELOPE = {"success": True, "errorCode": 0, "errorMessage": None}


def test_the_account_s_balance_is_exact(gateway: GatewayClient, venue: RunningVenue) -> None:
    (account,) = gateway.accounts()

    assert (venue.account_id, True, True) == (account.id, account.can_trade, account.is_simulated)
    assert isinstance(account.balance, Decimal)


def test_contracts_come_with_root_and_exact_tick(gateway: GatewayClient) -> None:
    assert CONTRACT in gateway.contracts_available()
    assert CONTRACT == gateway.contract(MNQ)


def test_a_contract_the_venue_does_not_know_is_none(gateway: GatewayClient) -> None:
    assert gateway.contract("CON.F.US.NOPE.Z26") is None


def test_closed_minutes_come_complete_oldest_first_and_in_one_request(
    gateway: GatewayClient, venue: RunningVenue
) -> None:
    wanted = Span(OPEN_AT - timedelta(minutes=90), OPEN_AT)
    bars = gateway.bars(CONTRACT, wanted).bars

    assert [wanted.start + number * MINUTE for number in range(90)] == [bar.start for bar in bars]
    assert 1 == len(venue.requests(BARS))


def test_the_forming_minute_is_not_a_bar(gateway: GatewayClient, venue: RunningVenue) -> None:
    bars = gateway.bars(CONTRACT, Span(OPEN_AT - timedelta(minutes=5), OPEN_AT + timedelta(minutes=5))).bars

    assert bars
    assert bars[-1].start + MINUTE <= venue.clock.now()


def test_a_minute_that_only_begins_in_the_span_is_not_in_it(gateway: GatewayClient) -> None:
    half = timedelta(seconds=30)
    bars = gateway.bars(CONTRACT, Span(OPEN_AT - 3 * MINUTE - half, OPEN_AT - MINUTE + half)).bars

    assert [OPEN_AT - 3 * MINUTE, OPEN_AT - 2 * MINUTE] == [bar.start for bar in bars]


def test_a_contract_without_bars_is_refused(gateway: GatewayClient) -> None:
    unknown = Contract("CON.F.US.NOPE.Z26", "NOPEZ6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=False)
    with pytest.raises(RefusedError):
        gateway.bars(unknown, Span(OPEN_AT - timedelta(minutes=5), OPEN_AT))


@pytest.mark.parametrize("fault", [{"kind": "lose_before"}, {"kind": "status", "status": 503}])
def test_a_read_that_fails_once_is_retried(
    gateway: GatewayClient, venue: RunningVenue, calls: RecordingCallLog, fault: dict[str, Any]
) -> None:
    gateway.accounts()
    venue.faults(path=ACCOUNTS, **fault)

    assert gateway.accounts()
    assert 3 == len(calls.of(ACCOUNTS))
    assert [None, None] == [call.error for call in calls.of(ACCOUNTS)[::2]]
    assert calls.of(ACCOUNTS)[1].error is not None


def test_a_read_of_a_venue_that_is_down_raises_a_retryable_error(gateway: GatewayClient, venue: RunningVenue) -> None:
    venue.faults(path=ACCOUNTS, kind="status", status=500, count=50)
    with pytest.raises(VenueDownError):
        gateway.accounts()

    assert len(venue.requests(ACCOUNTS)) <= 4


def test_a_read_with_a_429_is_not_retried_and_names_the_wait(
    open_gateway: OpenGateway, scripted: ScriptedVenue
) -> None:
    scripted.script_raw(ACCOUNTS, "", status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimitedError) as caught:
        open_gateway(scripted.venue()).accounts()

    assert timedelta(seconds=7) == caught.value.retry_after
    assert 1 == [path for path, _ in scripted.asked].count(ACCOUNTS)


def test_our_limit_applies_before_the_limit_of_the_venue_and_nothing_is_sent(
    open_gateway: OpenGateway, start_venue: Callable[..., RunningVenue]
) -> None:
    venue = start_venue(limits=True, change=freeze_limits_clock)
    gateway = open_gateway(venue.venue(), limits=True)
    minute = Span(OPEN_AT - MINUTE, OPEN_AT)
    for _ in range(45):
        gateway.bars(CONTRACT, minute)
    with pytest.raises(RateLimitedError) as caught:
        gateway.bars(CONTRACT, minute)

    assert timedelta(0) < caught.value.retry_after <= LASTING["bars"].span + timedelta(seconds=1)
    assert 45 == len(venue.requests(BARS))
    assert gateway.accounts()


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        json.dumps({**ENVELOPE, "positions": None}),
        json.dumps(ENVELOPE),
        json.dumps({**ENVELOPE, "positions": [{"id": 1}]}),
        json.dumps({"success": True, "errorCode": 3, "positions": []}),
        json.dumps({"success": False, "errorCode": 0, "positions": []}),
    ],
)
def test_an_invalid_answer_does_not_mean_flat(open_gateway: OpenGateway, scripted: ScriptedVenue, text: str) -> None:
    scripted.script_raw(POSITIONS, text)
    with pytest.raises(VenueDownError):
        open_gateway(scripted.venue()).positions(1)


def test_an_order_with_unknown_codes_is_in_doubt_and_times_without_offset_are_utc(
    open_gateway: OpenGateway, scripted: ScriptedVenue
) -> None:
    order = {
        "id": 2**40, "accountId": 1, "contractId": MNQ, "creationTimestamp": "2026-03-10T15:00:00.1234567",
        "updateTimestamp": None, "status": 77, "type": 3, "side": 1, "size": 2, "fillVolume": 0,
    }  # fmt: skip
    scripted.says("/api/Order/search", orders=[order])
    (found,) = open_gateway(scripted.venue()).orders_since(1, OPEN_AT)

    assert (None, "UNKNOWN", "SELL", None) == (found.state, found.type, found.side, found.tag)
    assert datetime(2026, 3, 10, 15, 0, 0, 123456, tzinfo=UTC) == found.created_market_at


def test_a_contract_with_another_tick_than_ours_is_left_out(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    good = {"id": MNQ, "name": "MNQH6", "tickSize": 0.25, "tickValue": 0.5, "activeContract": True}
    odd = {**good, "id": "CON.F.US.MES.H26", "tickSize": 0.5}
    new = {**good, "id": "CON.F.US.BRANDNEW.H26"}
    scripted.says("/api/Contract/available", contracts=[good, odd, new])

    assert [CONTRACT] == open_gateway(scripted.venue()).contracts_available()


def test_a_redirect_is_not_followed(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    scripted.script_raw(ACCOUNTS, "", status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"})
    with pytest.raises(VenueDownError):
        open_gateway(scripted.venue()).accounts()


def test_a_refused_call_is_recorded_as_an_error(gateway: GatewayClient, calls: RecordingCallLog) -> None:
    with pytest.raises(RefusedError):
        gateway.positions(999)

    (call,) = calls.of(POSITIONS)
    assert ("POST", 200) == (call.method, call.status)
    assert "error 1" in (call.error or "")
    assert call.duration > timedelta(0)
    assert call.started_at.tzinfo is not None
