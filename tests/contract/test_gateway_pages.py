"""Paging and prices: with any page size of the venue, every bar comes once, in order, exact to the tick."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span
from shared.gateway import wire
from tests.contract.conftest import OpenGateway, ScriptedVenue
from tests.fixtures.venue import OPEN_AT

BARS, QUERY = "/api/History/retrieveBars", "/api/Order/v2/query"
CONTRACT = Contract("CON.F.US.MNQ.H26", "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)


def serve_bars(scripted: ScriptedVenue, count: int, most: int) -> None:
    """Serve `count` minutes up to OPEN_AT; answer the newest `most` of a window, newest first, end included."""
    starts = [OPEN_AT - number * MINUTE for number in range(count + 1)]

    def answer(body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        start, end = wire.parse_instant(body["startTime"]), wire.parse_instant(body["endTime"])
        found = [at for at in starts if start <= at <= end][: min(most, body["limit"])]
        rows = [{"t": at.isoformat(), "o": 25000.25, "h": 25001, "l": 25000, "c": 25000.5, "v": 3} for at in found]
        text = json.dumps({"success": True, "errorCode": 0, "errorMessage": None, "bars": rows})
        return 200, {}, text.encode()

    scripted.answers[BARS] = answer


def test_bars_over_several_pages_come_complete(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    serve_bars(scripted, 20_500, most=20_000)
    wanted = Span(OPEN_AT - timedelta(minutes=20_500), OPEN_AT)
    bars = open_gateway(scripted.venue()).bars(CONTRACT, wanted).bars

    assert [wanted.start + number * MINUTE for number in range(20_500)] == [bar.start for bar in bars]
    assert 2 == [path for path, _ in scripted.asked].count(BARS)


def test_a_page_of_a_thousand_bars_is_followed_by_the_next(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    serve_bars(scripted, 2_500, most=1_000)
    wanted = Span(OPEN_AT - timedelta(minutes=2_500), OPEN_AT)
    bars = open_gateway(scripted.venue()).bars(CONTRACT, wanted).bars

    assert [wanted.start + number * MINUTE for number in range(2_500)] == [bar.start for bar in bars]


def test_an_empty_page_ends_the_read(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    serve_bars(scripted, 0, most=20_000)

    assert [] == open_gateway(scripted.venue()).bars(CONTRACT, Span(OPEN_AT - timedelta(days=1), OPEN_AT - MINUTE)).bars
    assert 1 == [path for path, _ in scripted.asked].count(BARS)


def test_working_orders_over_many_pages_come_once_each(open_gateway: OpenGateway, scripted: ScriptedVenue) -> None:
    row = {"accountId": 1, "contractId": CONTRACT.id, "creationTimestamp": OPEN_AT.isoformat(), "status": 1, "type": 4,
           "side": 0, "size": 1}  # fmt: skip
    rows = [{"id": number, **row} for number in range(1_234)]

    def answer(body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        assert [1, 6, 7, 8] == body["filter"]["statuses"]
        page = rows[body["pageOffset"] : body["pageOffset"] + body["pageSize"]]
        return 200, {}, json.dumps({"success": True, "errorCode": 0, "orders": page}).encode()

    scripted.answers[QUERY] = answer

    assert list(range(1_234)) == [order.id for order in open_gateway(scripted.venue()).orders_working(1)]


@given(root=st.sampled_from(sorted(ROOTS)), ticks=st.integers(1, 10_000_000), zeros=st.integers(0, 4))
def test_a_price_is_parsed_exactly_to_its_ticks(root: str, ticks: int, zeros: int) -> None:
    tick_size = ROOTS[root].tick_size
    price = f"{ticks * tick_size:f}"
    written = price + ("0" * zeros if "." in price else "." + "0" * zeros if zeros else "")
    text = f'{{"t":"2026-03-10T15:00:00Z","o":{written},"h":{written},"l":{written},"c":{written},"v":1}}'
    bar = wire.parse_bar(json.loads(text, parse_float=Decimal), tick_size)

    assert (ticks, ticks) == (bar.open, bar.close)
