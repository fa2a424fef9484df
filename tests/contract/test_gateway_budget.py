"""What happens when there is no request left, when the venue says so, and when Redis cannot say."""

import time
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest

from shared.clock import machine_now
from shared.domain.contract import Contract
from shared.domain.login import Token
from shared.domain.order import Side
from shared.errors import AmbiguousOutcomeError, RateLimitedError
from shared.fleets import Queue
from shared.gateway.client import GatewayClient
from shared.gateway.errors import NotSentError
from shared.gateway.ticket import OrderTicket
from shared.hot.connection import connect
from shared.hot.logins import RedisTokenStore
from shared.hot.rate_limit import WINDOWS, RedisLimiter
from tests.contract.conftest import NotedCalls, OpenGateway, ScriptedVenue
from tests.fixtures.processes import free_port
from tests.fixtures.venue import MNQ, RunningVenue

PLACE, ACCOUNTS, LOGIN = "/api/Order/place", "/api/Account/search", "/api/Auth/loginKey"
VALIDATE = "/api/Auth/validate"
CONTRACT = Contract(MNQ, "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)


def ticket(venue: RunningVenue, tag: str = "tw-1") -> OrderTicket:
    return OrderTicket(account_id=venue.account_id, contract=CONTRACT, side=Side.BUY, quantity=1, tag=tag)


def test_without_budget_a_mutation_is_not_sent_and_says_when_it_may_be_while_critical_work_goes_on(
    open_gateway: OpenGateway, venue: RunningVenue
) -> None:
    gateway = open_gateway(venue.venue(), limits=True)
    bulk, trading = gateway.for_queue(Queue.LOW), gateway.for_queue(Queue.HIGH)
    for _ in range(WINDOWS["other"].bulk - 1):  # the login was one
        bulk.accounts()
    with pytest.raises(RateLimitedError):
        bulk.accounts()
    for _ in range(WINDOWS["other"].trading - WINDOWS["other"].bulk):
        trading.accounts()
    with pytest.raises(NotSentError) as caught:
        trading.place(ticket(venue))

    assert isinstance(caught.value, RateLimitedError)
    assert timedelta(0) < caught.value.retry_after <= timedelta(seconds=61)
    assert [] == venue.requests(PLACE)
    assert gateway.for_queue(Queue.CRITICAL).place(ticket(venue))


def test_a_429_is_told_to_every_client_and_a_second_is_not_provoked(
    open_gateway: OpenGateway, venue: RunningVenue, calls: NotedCalls
) -> None:
    one, other = (open_gateway(venue.venue(), limits=True) for _ in range(2))
    one.accounts()
    venue.faults(path=PLACE, kind="status", status=429)
    with pytest.raises(AmbiguousOutcomeError):
        one.place(ticket(venue))
    with pytest.raises(RateLimitedError) as caught:
        other.accounts()

    assert timedelta(seconds=0.5) < caught.value.retry_after <= timedelta(seconds=1.25)
    assert 1 == len(calls.of(ACCOUNTS))


@pytest.mark.parametrize("said", ["7", "a date"])
def test_how_long_to_stay_away_is_read_as_seconds_or_as_a_date(
    open_gateway: OpenGateway, scripted: ScriptedVenue, said: str
) -> None:
    in_seven = format_datetime(machine_now() + timedelta(seconds=8), usegmt=True)
    scripted.answers_raw(ACCOUNTS, "", status=429, headers={"Retry-After": "7" if said == "7" else in_seven})
    with pytest.raises(RateLimitedError) as caught:
        open_gateway(scripted.venue()).accounts()

    assert timedelta(seconds=5) < caught.value.retry_after <= timedelta(seconds=8)


def test_a_short_wait_is_waited_by_a_read_and_never_by_a_mutation(
    open_gateway: OpenGateway, venue: RunningVenue, redis_url: str
) -> None:
    gateway = open_gateway(venue.venue(), limits=True)
    gateway.accounts()
    with connect(redis_url) as redis:
        limiter = RedisLimiter(redis, venue.venue())
        limiter.refused("other", timedelta(seconds=0.4))
        with pytest.raises(NotSentError):
            gateway.place(ticket(venue))
        began = time.monotonic()

        assert gateway.accounts()
        assert 0.1 < time.monotonic() - began


def test_a_token_half_through_its_life_is_renewed_by_one_read_and_by_no_mutation(
    open_gateway: OpenGateway, venue: RunningVenue, calls: NotedCalls, redis_url: str
) -> None:
    gateway = open_gateway(venue.venue())
    text = gateway.token()
    with connect(redis_url) as redis:
        RedisTokenStore(redis, venue.venue()).put(Token(text, machine_now(), machine_now() + timedelta(hours=12)))
    gateway.place(ticket(venue))
    assert [] == calls.of(VALIDATE)
    for client in (gateway, open_gateway(venue.venue())):
        client.accounts()

    assert 1 == len(calls.of(VALIDATE))
    assert 1 == len(calls.of(LOGIN))
    assert text != gateway.token()


def test_a_token_that_cannot_be_renewed_serves_on(
    open_gateway: OpenGateway, venue: RunningVenue, redis_url: str
) -> None:
    gateway = open_gateway(venue.venue())
    text = gateway.token()
    with connect(redis_url) as redis:
        RedisTokenStore(redis, venue.venue()).put(Token(text, machine_now(), machine_now() + timedelta(hours=12)))
    for path in (VALIDATE, LOGIN):
        venue.faults(path=path, kind="status", status=503, count=9)

    assert gateway.accounts()
    assert text == gateway.token()


def test_an_exit_passes_while_redis_is_away(venue: RunningVenue, calls: NotedCalls) -> None:
    redis = connect(f"redis://127.0.0.1:{free_port()}/0")
    where = venue.venue()
    client = GatewayClient(where, RedisTokenStore(redis, where), RedisLimiter(redis, where), calls)
    gateway = client.for_queue(Queue.CRITICAL)
    gateway.place(ticket(venue))
    for number in range(12):
        gateway.positions(venue.account_id)
        gateway.place(ticket(venue, f"tw-more-{number}"))
    gateway.close_contract(venue.account_id, MNQ)

    assert 1 == len(calls.of(LOGIN))
    assert {Queue.CRITICAL} == {call.queue for call in calls.calls}
    client.close()
    redis.close()
