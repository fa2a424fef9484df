"""Connections to the venue: reused for the next request, and never for longer than the venue keeps them open."""

from decimal import Decimal

import pytest

from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Side
from shared.gateway.orders.order_request import OrderRequest
from shared.gateway.rest import connections
from tests.contract.conftest import OpenGateway
from tests.fixtures.venue_sockets import raw_venue

MNQ = Contract("CON.F.US.MNQ.H26", "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)
LONG_S = 600.0
ORDER = OrderRequest(account_id=1, contract=MNQ, side=Side.BUY, quantity=1, tag="tw-1")


@pytest.fixture(autouse=True)
def _no_idle_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_AT_MOST_S", LONG_S)


def test_consecutive_requests_use_one_connection(open_gateway: OpenGateway) -> None:
    with raw_venue() as venue:
        gateway = open_gateway(venue.venue())
        for _ in range(9):
            gateway.accounts()
        gateway.place(ORDER)

        assert [11] == venue.requests_of  # the login too


def test_a_connection_closed_by_the_venue_makes_no_mutation_ambiguous(
    open_gateway: OpenGateway,
) -> None:
    with raw_venue(closes_after=2) as venue:
        gateway = open_gateway(venue.venue())
        gateway.accounts()
        assert venue.closed.wait(60)

        assert 501 == gateway.place(ORDER)
        assert [2, 1] == venue.requests_of
        assert 1 == venue.paths.count("/api/Order/place")


def test_a_connection_idle_beyond_the_limit_is_not_reused(
    open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_venue() as venue:
        gateway = open_gateway(venue.venue())
        gateway.accounts()
        monkeypatch.setattr(connections, "IDLE_AT_MOST_S", 0.0)
        gateway.place(ORDER)

        assert [2, 1] == venue.requests_of
