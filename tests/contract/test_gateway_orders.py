"""Orders through the gateway: signs, refusals, and every way to lose an answer, against the simulator."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis

from shared.clock import machine_now
from shared.domain.accounts.login import parse_token
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Direction, OrderState, OrderType, Side
from shared.errors import AmbiguousOutcomeError, OrderRejectedError, RefusedError
from shared.gateway.client import GatewayClient
from shared.gateway.errors import NotSentError, TagInUseError
from shared.gateway.orders.order_request import OrderRequest
from shared.gateway.rest import requester, transport
from shared.hot.logins import RedisTokenStore
from tests.contract.conftest import OpenGateway, RecordingCallLog
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue

PLACE, LOGIN = "/api/Order/place", "/api/Auth/loginKey"
CONTRACT = Contract(MNQ, "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)


def place(gateway: GatewayClient, venue: RunningVenue, **changes: Any) -> int:
    wanted: dict[str, Any] = {
        "account_id": venue.account_id, "contract": CONTRACT, "side": Side.BUY, "quantity": 1, "tag": "tw-1",
        "stop_loss_ticks": 4000, "take_profit_ticks": 5000,  # no price reaches them during a test
    }  # fmt: skip
    return gateway.place(OrderRequest(**wanted | changes))


def states(gateway: GatewayClient, venue: RunningVenue) -> dict[str | None, OrderState | None]:
    since = venue.clock.now() - timedelta(minutes=5)
    return {order.tag: order.state for order in gateway.orders_since(venue.account_id, since)}


@pytest.mark.parametrize(("side", "direction"), [(Side.BUY, Direction.LONG), (Side.SELL, Direction.SHORT)])
def test_a_bracket_is_sent_signed_and_its_legs_work_on_the_right_side(
    gateway: GatewayClient, venue: RunningVenue, side: Side, direction: Direction
) -> None:
    stop, target = -4000 * side.sign, 5000 * side.sign
    order_id = place(gateway, venue, side=side)
    (sent,) = venue.requests(PLACE)
    assert (stop, target) == (sent["stopLossBracket"]["ticks"], sent["takeProfitBracket"]["ticks"])

    until(lambda: states(gateway, venue).get("tw-1-SL") is OrderState.WORKING, what="the stop")
    since = venue.clock.now() - timedelta(minutes=5)
    orders = {order.tag: order for order in gateway.orders_since(venue.account_id, since)}
    entry, stop_order, target_order = orders["tw-1"], orders["tw-1-SL"], orders["tw-1-TP"]
    assert (order_id, OrderState.FILLED, OrderType.MARKET, side) == (entry.id, entry.state, entry.type, entry.side)
    price = entry.average_fill_price
    assert isinstance(price, Decimal)
    assert price + stop * CONTRACT.tick_size == stop_order.stop_price
    assert price + target * CONTRACT.tick_size == target_order.limit_price
    assert [order_id, order_id] == [stop_order.parent_order_id, target_order.parent_order_id]
    assert {"tw-1-SL", "tw-1-TP"} == {order.tag for order in gateway.orders_working(venue.account_id)}
    (fill,) = gateway.fills_since(venue.account_id, since)
    assert (order_id, side, 1, price, None) == (fill.order_id, fill.side, fill.quantity, fill.price, fill.gross_pnl)
    (position,) = gateway.positions(venue.account_id)
    assert (direction, 1, price) == (position.direction, position.quantity, position.average_price)


def test_a_cancelled_order_is_cancelled_and_a_closed_contract_is_flat(
    gateway: GatewayClient, venue: RunningVenue
) -> None:
    place(gateway, venue, take_profit_ticks=None)
    until(lambda: states(gateway, venue).get("tw-1-SL") is OrderState.WORKING, what="the stop")
    (stop,) = gateway.orders_working(venue.account_id)
    gateway.cancel(venue.account_id, stop.id)
    gateway.close_contract(venue.account_id, MNQ)

    until(lambda: not gateway.positions(venue.account_id), what="flat")
    assert [] == gateway.orders_working(venue.account_id)
    assert OrderState.CANCELLED is states(gateway, venue)["tw-1-SL"]


def test_cancelling_a_missing_order_or_position_is_definitely_refused(
    gateway: GatewayClient, venue: RunningVenue
) -> None:
    with pytest.raises(RefusedError):
        gateway.cancel(venue.account_id, 999_999)
    with pytest.raises(RefusedError):
        gateway.close_contract(venue.account_id, MNQ)


def test_a_rejection_contains_the_message_of_the_venue(gateway: GatewayClient, venue: RunningVenue) -> None:
    with pytest.raises(OrderRejectedError, match="Price should be at least 4 ticks away"):
        place(gateway, venue, stop_loss_ticks=1)


def test_a_used_tag_raises_its_own_error_and_is_no_rejection(gateway: GatewayClient, venue: RunningVenue) -> None:
    place(gateway, venue)
    with pytest.raises(TagInUseError, match="already in use"):
        place(gateway, venue)

    assert ["tw-1"] == venue.accepted_tags()


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 8, 9, 10])
def test_every_definite_code_is_a_rejection(gateway: GatewayClient, venue: RunningVenue, code: int) -> None:
    venue.faults(path=PLACE, kind="reject", error_code=code, message="a message of the venue")
    with pytest.raises(OrderRejectedError, match="a message of the venue"):
        place(gateway, venue)


@pytest.mark.parametrize("code", [6, 7])
def test_the_codes_pending_and_unknown_are_ambiguous(gateway: GatewayClient, venue: RunningVenue, code: int) -> None:
    venue.faults(path=PLACE, kind="reject", error_code=code)
    with pytest.raises(AmbiguousOutcomeError):
        place(gateway, venue)


def test_an_answer_lost_after_placing_is_ambiguous_and_the_order_is_found_by_its_tag(
    gateway: GatewayClient, venue: RunningVenue
) -> None:
    gateway.accounts()
    venue.faults(path=PLACE, kind="lose_answer_after")
    with pytest.raises(AmbiguousOutcomeError):
        place(gateway, venue)

    assert "tw-1" in states(gateway, venue)
    assert 1 == len(venue.requests(PLACE))


def test_a_lost_request_is_ambiguous_and_is_not_sent_again(gateway: GatewayClient, venue: RunningVenue) -> None:
    gateway.accounts()
    venue.faults(path=PLACE, kind="lose_before")
    with pytest.raises(AmbiguousOutcomeError):
        place(gateway, venue)

    assert {} == states(gateway, venue)
    assert 1 == len(venue.requests(PLACE))


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_mutation_with_a_server_error_is_ambiguous_and_is_not_sent_again(
    gateway: GatewayClient, venue: RunningVenue, status: int
) -> None:
    venue.faults(path=PLACE, kind="status", status=status)
    with pytest.raises(AmbiguousOutcomeError):
        place(gateway, venue)

    assert 1 == len(venue.requests(PLACE))


def test_a_late_answer_is_ambiguous(
    gateway: GatewayClient, open_gateway: OpenGateway, venue: RunningVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.ensure_token()
    for module in (requester, transport):  # logging in takes no time, otherwise it would be too late to send
        monkeypatch.setattr(module, "monotonic", lambda: 0.0)
    for number in range(1, 9):
        # Increase the timeout until the venue has the order: a slow machine may take long.
        impatient = open_gateway(venue.venue(), timeout=timedelta(seconds=0.5 * 2**number))
        venue.faults(path=PLACE, kind="delay", seconds=600)
        with pytest.raises(AmbiguousOutcomeError):
            place(impatient, venue, tag=f"tw-{number}")
        if f"tw-{number}" in states(gateway, venue):
            break

    sent = Counter(body["customTag"] for body in venue.requests(PLACE))
    assert 1 == sent[f"tw-{number}"]
    assert {1} == set(sent.values())  # one the client gave up before the venue read it may be missing


@pytest.mark.parametrize("is_logged_in", [True, False])
def test_a_request_on_a_refused_connection_is_certainly_not_sent(
    gateway: GatewayClient, venue: RunningVenue, *, is_logged_in: bool
) -> None:
    if is_logged_in:
        gateway.accounts()
    venue.kill()
    with pytest.raises(NotSentError):
        place(gateway, venue)


def test_a_request_to_an_unknown_host_is_certainly_not_sent(
    open_gateway: OpenGateway, venue: RunningVenue, hot: "redis.Redis"
) -> None:
    nowhere = replace(venue.venue(), url="https://nowhere.invalid")
    gateway = open_gateway(nowhere)
    # A login from before the network was lost.
    RedisTokenStore(hot, nowhere).put(parse_token("a-token", machine_now()))
    with pytest.raises(NotSentError):
        place(gateway, venue)


def test_a_mutation_with_a_401_is_certainly_not_done_and_the_next_attempt_logs_in_first(
    gateway: GatewayClient, venue: RunningVenue, calls: RecordingCallLog
) -> None:
    gateway.accounts()
    venue.faults(path=PLACE, kind="status", status=401)
    with pytest.raises(NotSentError):
        place(gateway, venue)
    assert 1 == len(calls.of(LOGIN))
    gateway.ensure_token()
    place(gateway, venue)

    assert ["tw-1"] == venue.accepted_tags()
    assert [401, 200] == [call.status for call in calls.of(PLACE)]
    assert 2 == len(calls.of(LOGIN))


@pytest.mark.parametrize("fault", ["lose_before", "lose_answer_after", "status 500", "status 429"])
def test_trap_15_a_mutation_without_a_clear_answer_is_sent_once_and_its_tag_shows_the_outcome(
    gateway: GatewayClient, venue: RunningVenue, fault: str
) -> None:
    gateway.accounts()
    kind, _, status = fault.partition(" ")
    venue.faults(path=PLACE, kind=kind, status=int(status or 500))
    with pytest.raises(AmbiguousOutcomeError):
        place(gateway, venue)

    assert 1 == len(venue.requests(PLACE))
    assert (fault == "lose_answer_after") is ("tw-1" in states(gateway, venue))


def test_nothing_is_sent_to_the_real_venue_for_an_account_whose_live_orders_are_off(
    open_gateway: OpenGateway, venue: RunningVenue, calls: RecordingCallLog
) -> None:
    gateway = open_gateway(replace(venue.venue(), is_simulator=False))
    for mutate in (
        lambda: place(gateway, venue),
        lambda: gateway.cancel(venue.account_id, 1),
        lambda: gateway.close_contract(venue.account_id, MNQ),
    ):
        with pytest.raises(RefusedError, match="live orders of account 20001 are off"):
            mutate()

    assert [] == calls.calls


class Switch:
    """A switch that remembers its checks."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self.checks: list[tuple[int, bool]] = []

    def may_send(self, account_id: int, *, is_entry: bool) -> bool:
        self.checks.append((account_id, is_entry))
        return self.is_on


def test_the_live_switch_checks_each_order_and_distinguishes_entries_from_exits(
    open_gateway: OpenGateway, venue: RunningVenue
) -> None:
    switch = Switch(is_on=True)
    gateway = open_gateway(replace(venue.venue(), is_simulator=False), switch=switch)
    gateway.accounts()
    place(gateway, venue)
    until(lambda: venue.position() == 1, what="the fill")
    gateway.close_contract(venue.account_id, MNQ)
    switch.is_on = False
    with pytest.raises(RefusedError, match="tickwork accounts live 20001 on"):
        gateway.close_contract(venue.account_id, MNQ)

    assert [(venue.account_id, True), (venue.account_id, False), (venue.account_id, False)] == switch.checks
