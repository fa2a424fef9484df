"""The settings for behaviour that the venue's documents leave open (venue.md section 10)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest
import requests

from shared.domain.orders.order import OrderState, OrderType, Side
from simulator.venue.behaviour import Behaviour, EconomicEvent
from tests.fixtures.venue import MNQ, OPEN_AT, RunningVenue, StartVenue, starting_venues
from tests.fixtures.venue_core import OpenVenueCore, VenueCore

ES = "CON.F.US.EP.H26"


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("behaviour")) as start:
        yield start()


@pytest.mark.parametrize(("limits_fill", "state"), [("through", OrderState.WORKING), ("touch", OrderState.FILLED)])
def test_a_limit_order_fills_at_a_touch_or_once_its_price_is_traded_through(
    venue_core: VenueCore, limits_fill: Literal["through", "touch"], state: OrderState
) -> None:
    venue_core.venue.set_behaviour(replace(Behaviour(), limits_fill=limits_fill))
    order_id = venue_core.place(type=OrderType.LIMIT, price="24990.00").order_id
    assert order_id is not None
    venue_core.move_price("24990.00", "25000.00")

    assert state == venue_core.state(order_id)


@pytest.mark.parametrize(("side", "worse"), [(Side.BUY, 3), (Side.SELL, -3)])
def test_market_orders_and_stops_have_slippage_and_limit_orders_do_not(
    open_venue_core: OpenVenueCore, side: Side, worse: int
) -> None:
    def fill_prices(behaviour: Behaviour) -> list[int]:
        venue_core = open_venue_core()
        venue_core.venue.set_behaviour(behaviour)
        price = 25_000 + 5 * side.sign
        venue_core.enter(side=side)
        venue_core.place(type=OrderType.STOP, side=side, price=f"{price}.00")
        venue_core.place(type=OrderType.LIMIT, side=side.opposite, price=f"{price}.00")
        venue_core.move_price(f"{price + side.sign}.00")
        return [fill.price for fill in venue_core.fills()]

    market, limit, stop = fill_prices(Behaviour())
    assert sorted([market + worse, limit, stop + worse]) == sorted(fill_prices(replace(Behaviour(), slippage_ticks=3)))


def test_a_closed_market_answers_code_2_with_a_row_or_code_5_without(open_venue_core: OpenVenueCore) -> None:
    venue_core = open_venue_core(market_at=OPEN_AT - timedelta(days=2))  # a Sunday
    closed = venue_core.place(tag="one")
    venue_core.venue.set_behaviour(replace(Behaviour(), closed_code=5))
    outside = venue_core.place(tag="two")

    assert (2, OrderState.REJECTED) == (closed.code, venue_core.state(closed.order_id or 0))
    assert (5, None) == (outside.code, outside.order_id)
    assert closed.message == outside.message
    assert not venue_core.venue.state.has_tag(venue_core.account_id, "two")


@pytest.mark.parametrize(("minutes", "code"), [(-6, 0), (-5, 2), (5, 2), (6, 0)])
def test_around_an_event_new_positions_in_equity_index_minis_are_rejected(
    venue_core: VenueCore, minutes: int, code: int
) -> None:
    venue_core.venue.set_behaviour(
        replace(Behaviour(), events=[EconomicEvent(name="CPI", at=venue_core.now() - timedelta(minutes=minutes))])
    )
    mini, micro = venue_core.place(contract_id=ES), venue_core.place()

    assert (code, 0) == (mini.code, micro.code)
    assert (code == 2) == ("CPI" in (mini.message or ""))


def test_an_exit_is_accepted_around_an_event(venue_core: VenueCore) -> None:
    venue_core.enter(contract_id=ES)
    venue_core.venue.set_behaviour(replace(Behaviour(), events=[EconomicEvent(name="CPI", at=venue_core.now())]))

    assert 2 == venue_core.place(contract_id=ES).code
    assert 0 == venue_core.place(contract_id=ES, side=Side.SELL).code


def test_minute_days_limits_minute_bars_and_not_hour_bars(venue: RunningVenue) -> None:
    def oldest(unit: int, number: int) -> str:
        bars = venue.post(
            "/api/History/retrieveBars",
            contractId=MNQ, live=False, unit=unit, unitNumber=number, limit=20_000, includePartialBar=False,
            startTime=f"{OPEN_AT - timedelta(days=5):%Y-%m-%dT%H:%M:%SZ}", endTime=f"{OPEN_AT:%Y-%m-%dT%H:%M:%SZ}",
        )["bars"]  # fmt: skip
        return str(bars[-1]["t"])

    minutes, hours = oldest(2, 1), oldest(3, 1)
    venue.control("PUT", "behaviour", {"minute_days": 1})

    assert minutes < f"{OPEN_AT - timedelta(days=1):%Y-%m-%dT%H:%M}" <= oldest(2, 1)
    assert hours == oldest(3, 1)


def test_behaviour_survives_a_restart_and_omitted_settings_return_to_their_defaults(start_venue: StartVenue) -> None:
    venue = start_venue()
    venue.control("PUT", "behaviour", {"slippage_ticks": 2, "closed_code": 5})
    venue.restart()
    kept = venue.control("GET", "behaviour").json()
    replaced = venue.control("PUT", "behaviour", {"limits_fill": "touch"}).json()

    assert (2, 5) == (kept["slippage_ticks"], kept["closed_code"])
    assert ("touch", 0, 2) == (replaced["limits_fill"], replaced["slippage_ticks"], replaced["closed_code"])


@pytest.mark.parametrize(
    ("body", "detail_part"),
    [
        ({"slippage": 1}, "unknown behaviour setting 'slippage'"),
        ({"slippage_ticks": -1}, "slippage_ticks"),
        ({"closed_code": 4}, "closed_code"),
        ({"events": [{"name": "CPI", "at": "2026-03-10T13:30:00"}]}, "timezone"),
    ],
)
def test_an_invalid_behaviour_setting_is_refused_by_name(
    shared_venue: RunningVenue, body: dict[str, object], detail_part: str
) -> None:
    answer = requests.put(f"{shared_venue.control_url}/sim/behaviour", json=body, timeout=60)

    assert 400 == answer.status_code
    assert detail_part in answer.json()["detail"]
