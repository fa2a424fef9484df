"""The events of the user hub follow from the change alone."""

from typing import Any

from shared.domain.orders.order import OrderType, Side
from simulator.hubs.events import HubEvent, events_of
from simulator.venue.records import AccountStage, Change
from simulator.venue.venue import Modification
from tests.fixtures.venue_core import VenueCore

ORDER, TRADE, POSITION, ACCOUNT = "GatewayUserOrder", "GatewayUserTrade", "GatewayUserPosition", "GatewayUserAccount"


def take_events(venue_core: VenueCore) -> list[tuple[str, Any]]:
    """Return the events of all changes, and clear them: targets, with an order's id and status."""
    events = [event for change in venue_core.changes for event in events_of(change)]
    venue_core.changes.clear()
    return [(event.target, (event.data["id"], event.data["status"])) if event.target == ORDER else summarize(event)
            for event in events]  # fmt: skip


def summarize(event: HubEvent) -> tuple[str, Any]:
    return event.target, (event.data["type"], event.data["size"]) if event.target == POSITION else None


def test_an_accepted_market_entry_with_bracket_and_its_fill(venue_core: VenueCore) -> None:
    venue_core.changes.clear()
    entry = venue_core.enter(stop_loss=-40, take_profit=80).id

    assert [
        (ORDER, (entry + 1, 8)), (ORDER, (entry, 6)), (ORDER, (entry + 2, 8)),
        (ORDER, (entry, 2)), (TRADE, None), (POSITION, (1, 1)), (ACCOUNT, None),
        (ORDER, (entry + 2, 1)), (ORDER, (entry + 1, 1)),
    ] == take_events(venue_core)  # fmt: skip


def test_a_resting_entry_is_reported_pending_then_open(venue_core: VenueCore) -> None:
    venue_core.changes.clear()
    entry = venue_core.enter(type=OrderType.LIMIT, price="24990.00", stop_loss=-40, take_profit=80).id

    assert [
        (ORDER, (entry + 1, 8)), (ORDER, (entry, 6)), (ORDER, (entry + 2, 8)), (ORDER, (entry, 1)),
    ] == take_events(venue_core)  # fmt: skip


def test_a_filled_leg_reports_the_end_of_its_sibling_before_the_trade(venue_core: VenueCore) -> None:
    entry = venue_core.enter(stop_loss=-40, take_profit=80).id
    venue_core.changes.clear()
    venue_core.move_price("25030.00")

    assert [
        (ORDER, (entry + 2, 2)), (ORDER, (entry + 1, 3)), (TRADE, None), (POSITION, (0, 0)), (ACCOUNT, None),
    ] == take_events(venue_core)  # fmt: skip


def test_a_partly_filled_leg_reports_its_smaller_sibling_before_the_trade(venue_core: VenueCore) -> None:
    entry = venue_core.enter(quantity=2, stop_loss=-40, take_profit=80).id
    venue_core.changes.clear()
    venue_core.partial.append(3600)
    venue_core.move_price("25030.00")

    assert [
        (ORDER, (entry + 2, 1)), (ORDER, (entry + 1, 1)), (TRADE, None), (POSITION, (1, 1)), (ACCOUNT, None),
    ] == take_events(venue_core)  # fmt: skip


def test_a_reversal_reports_two_trades_and_one_position(venue_core: VenueCore) -> None:
    venue_core.enter()
    venue_core.changes.clear()
    entry = venue_core.enter(side=Side.SELL, quantity=2).id

    assert [
        (ORDER, (entry, 6)), (ORDER, (entry, 2)), (TRADE, None), (TRADE, None), (POSITION, (2, 1)), (ACCOUNT, None),
    ] == take_events(venue_core)  # fmt: skip


def test_a_rejected_order_is_reported_with_its_status_and_no_reason(venue_core: VenueCore) -> None:
    venue_core.changes.clear()
    answer = venue_core.place(stop_loss=40)
    [change] = venue_core.changes

    assert [(ORDER, (answer.order_id, 5))] == take_events(venue_core)
    assert not {"reason", "errorMessage", "message"} & set(events_of(change)[0].data)


def test_a_modified_order_is_reported_once_and_a_cancelled_one_with_action_two(venue_core: VenueCore) -> None:
    entry = venue_core.enter(type=OrderType.LIMIT, price="24990.00").id
    venue_core.step(seconds=1)
    venue_core.changes.clear()
    venue_core.venue.modify(venue_core.account_id, entry, Modification(quantity=2))
    venue_core.venue.cancel(venue_core.account_id, entry)
    actions = [(event.action, event.data["status"]) for change in venue_core.changes for event in events_of(change)]

    assert [(1, 1), (2, 3)] == actions


def test_no_event_contains_null(venue_core: VenueCore) -> None:
    venue_core.enter(stop_loss=-40, take_profit=80)
    venue_core.move_price("25030.00")
    events = [event for change in venue_core.changes for event in events_of(change)]

    assert [] == [event for event in events if None in event.data.values()]
    assert ["profitAndLoss" in event.data for event in events if event.target == TRADE] == [False, True]


def test_accounts_are_reported_and_scripts_are_not(venue_core: VenueCore) -> None:
    venue_core.changes.clear()
    venue_core.open_account(AccountStage.COMBINE)
    venue_core.move_price("25001.00")

    assert [(ACCOUNT, None)] == take_events(venue_core)
    assert [] == events_of(Change(market_at=venue_core.now()))
