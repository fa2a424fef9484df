"""A conformance run and what is not its own: it cancels and closes none of it, and says that it is there."""

from tests.fixtures.order_sessions import StartSession
from tests.fixtures.venue import MNQ, RunningVenue
from tests.integration.simulator.test_conformance import working_orders


def test_an_order_of_another_that_still_works_is_said_and_not_cancelled(
    venue: RunningVenue, start_session: StartSession
) -> None:
    """As the platform's own bracket legs under Position Brackets: without a tag and without a parent."""
    session = start_session()
    order_id = venue.place(type=1, limitPrice=20_000)["orderId"]
    session.place_accepted()
    session.tidy()
    session.clean_up()

    problem = f"order {order_id} in {MNQ} is not of this run and still works"
    assert [problem] == session.problems
    assert f"{problem}: no more orders are placed" == session.stop_reason
    assert [order_id] == [row["id"] for row in working_orders(venue)]
