"""The request budget: spent, refused by the venue with a 429, and counted locally while Redis is down."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
import redis

from shared.clock import machine_now
from shared.domain.accounts.login import Token
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Side
from shared.errors import AmbiguousOutcomeError, RateLimitedError
from shared.fleets import Queue
from shared.gateway.client import GatewayClient
from shared.gateway.errors import NotSentError
from shared.gateway.orders.order_request import OrderRequest
from shared.hot.connection import connect
from shared.hot.logins import RedisTokenStore
from shared.hot.rate_limit import WINDOWS, NoLimiter, RedisLimiter
from tests.contract.conftest import LASTING, OpenGateway, RecordingCallLog, ScriptedVenue
from tests.fixtures.processes import free_port, until
from tests.fixtures.redis_client import LONG_TIMEOUT
from tests.fixtures.venue import MNQ, RunningVenue

PLACE, ACCOUNTS, LOGIN = "/api/Order/place", "/api/Account/search", "/api/Auth/loginKey"
VALIDATE = "/api/Auth/validate"
CONTRACT = Contract(MNQ, "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)


def order_request(venue: RunningVenue, tag: str = "tw-1") -> OrderRequest:
    return OrderRequest(account_id=venue.account_id, contract=CONTRACT, side=Side.BUY, quantity=1, tag=tag)


def test_a_mutation_without_budget_is_not_sent_and_names_the_wait_while_critical_jobs_go_on(
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
        trading.place(order_request(venue))

    assert isinstance(caught.value, RateLimitedError)
    assert timedelta(0) < caught.value.retry_after <= LASTING["other"].span + timedelta(seconds=1)
    assert [] == venue.requests(PLACE)
    assert gateway.for_queue(Queue.CRITICAL).place(order_request(venue))


def test_a_429_blocks_every_client_and_causes_no_second_one(
    open_gateway: OpenGateway, venue: RunningVenue, calls: RecordingCallLog
) -> None:
    one, other = (open_gateway(venue.venue(), limits=True) for _ in range(2))
    one.accounts()
    venue.faults(path=PLACE, kind="status", status=429, retry_after=300)
    with pytest.raises(AmbiguousOutcomeError):
        one.place(order_request(venue))
    with pytest.raises(RateLimitedError) as caught:
        other.accounts()

    assert timedelta(seconds=100) < caught.value.retry_after <= timedelta(seconds=300)
    assert 1 == len(calls.of(ACCOUNTS))


class RecordingLimiter(RedisLimiter):
    """The limiter, which also remembers the pause after the last 429."""

    pause = timedelta(0)

    def record_refusal(self, budget: str, retry_after: timedelta | None) -> timedelta:
        self.pause = super().record_refusal(budget, retry_after)
        return self.pause


def test_a_429_without_retry_after_pauses_for_a_second(
    open_gateway: OpenGateway, venue: RunningVenue, hot: "redis.Redis"
) -> None:
    limiter = RecordingLimiter(hot, venue.venue())
    gateway = open_gateway(venue.venue(), limiter=limiter)
    gateway.ensure_token()
    venue.faults(path=PLACE, kind="status", status=429)
    with pytest.raises(AmbiguousOutcomeError):
        gateway.place(order_request(venue))

    assert timedelta(seconds=0.5) < limiter.pause <= timedelta(seconds=1.25)


def test_retry_after_may_be_in_seconds(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    scripted.script_raw(ACCOUNTS, "", status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimitedError) as caught:
        open_gateway(scripted.venue()).accounts()

    assert timedelta(seconds=7) == caught.value.retry_after


def test_retry_after_may_be_a_date(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    at = machine_now().replace(microsecond=0) + timedelta(seconds=200)  # far enough from the shortest pause, one second
    scripted.script_raw(ACCOUNTS, "", status=429, headers={"Retry-After": format_datetime(at, usegmt=True)})
    sent_at = machine_now()
    with pytest.raises(RateLimitedError) as caught:
        open_gateway(scripted.venue()).accounts()

    assert at - machine_now() <= caught.value.retry_after <= at - sent_at


class ClosedOnceLimiter(NoLimiter):
    """A limiter that refuses the next request, with a short wait, and allows those after it."""

    short_wait = timedelta(seconds=0.4)
    is_closed = True

    @contextmanager
    def count_request(self, _budget: str, _queue: Queue, *, is_exit: bool = False) -> Iterator[None]:  # noqa: ARG002  # as Limiter
        was_closed, self.is_closed = self.is_closed, False
        if was_closed:
            raise RateLimitedError("no request is left", self.short_wait)
        yield


def test_a_read_waits_for_a_short_time_and_a_mutation_never(open_gateway: OpenGateway, venue: RunningVenue) -> None:
    open_gateway(venue.venue()).ensure_token()
    limiter = ClosedOnceLimiter()
    gateway = open_gateway(venue.venue(), limiter=limiter)
    with pytest.raises(NotSentError):
        gateway.place(order_request(venue))
    assert [] == venue.requests(PLACE)
    limiter.is_closed = True
    began = time.monotonic()

    assert gateway.accounts()
    assert limiter.short_wait.total_seconds() <= time.monotonic() - began


def test_a_token_due_for_renewal_is_renewed_by_one_read_and_by_no_mutation(
    open_gateway: OpenGateway, venue: RunningVenue, calls: RecordingCallLog, hot: "redis.Redis"
) -> None:
    gateway = open_gateway(venue.venue())
    text = gateway.token()
    RedisTokenStore(hot, venue.venue()).put(Token(text, machine_now(), machine_now() + timedelta(hours=12)))
    gateway.place(order_request(venue))
    assert [] == calls.of(VALIDATE)
    for client in (gateway, open_gateway(venue.venue())):
        client.accounts()

    assert 1 == len(calls.of(VALIDATE))
    assert 1 == len(calls.of(LOGIN))
    assert text != gateway.token()


def test_a_token_that_cannot_be_renewed_stays_in_use(
    open_gateway: OpenGateway, venue: RunningVenue, hot: "redis.Redis"
) -> None:
    gateway = open_gateway(venue.venue())
    text = gateway.token()
    RedisTokenStore(hot, venue.venue()).put(Token(text, machine_now(), machine_now() + timedelta(hours=12)))
    for path in (VALIDATE, LOGIN):
        venue.faults(path=path, kind="status", status=503, count=9)

    assert gateway.accounts()
    assert text == gateway.token()


def test_an_exit_is_sent_while_redis_is_down(venue: RunningVenue, calls: RecordingCallLog) -> None:
    unreachable = connect(f"redis://127.0.0.1:{free_port()}/0")
    settings = venue.venue()
    limiter = RedisLimiter(unreachable, settings, windows=LASTING)
    client = GatewayClient(settings, RedisTokenStore(unreachable, settings), limiter, calls, timeout=LONG_TIMEOUT)
    gateway = client.for_queue(Queue.CRITICAL)
    gateway.place(order_request(venue))
    for number in range(12):
        gateway.positions(venue.account_id)
        gateway.place(order_request(venue, f"tw-more-{number}"))
    until(lambda: venue.position() > 0, what="a fill")
    gateway.close_contract(venue.account_id, MNQ)

    assert 1 == len(calls.of(LOGIN))
    assert {Queue.CRITICAL} == {call.queue for call in calls.calls}
    client.close()
    unreachable.close()
