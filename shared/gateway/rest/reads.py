"""The reads of the client: accounts, contracts, bars, orders, fills and positions."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, TypeVar

from shared.domain.market_data.bar import MINUTE, Bar, RejectedBar, sort_bars
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.gateway import wire
from shared.gateway.rest.requester import Requester, translate_row
from shared.gateway.rest.transport import BARS
from shared.gateway.wire import VenueAccount, VenueFill, VenueOrder, VenuePosition

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_BARS = 20_000
# Sources disagree on the venue's page size: 20,000 bars, or silently 1,000. A page of either size may not be the last.
_FULL_PAGES = {MAX_BARS, 1_000}
_PAGE = 500
_NOT_FOUND = 1


@dataclass(frozen=True, slots=True)
class BarsAnswer:
    """The bars of an answer, oldest first, and its records that cannot be bars."""

    bars: list[Bar]
    rejected: list[RejectedBar]


class BarUnit(IntEnum):
    """The unit of a bar's length; a day is the venue's trading day, stamped with its session's opening."""

    SECOND = 1
    MINUTE = 2
    HOUR = 3
    DAY = 4
    WEEK = 5
    MONTH = 6
    TICK = 7

    @property
    def length(self) -> timedelta:
        """The longest duration of one unit; zero for ticks, which have no duration."""
        return _LENGTHS[self]


_LENGTHS = {
    BarUnit.SECOND: timedelta(seconds=1),
    BarUnit.MINUTE: MINUTE,
    BarUnit.HOUR: timedelta(hours=1),
    BarUnit.DAY: timedelta(days=1),
    BarUnit.WEEK: timedelta(weeks=1),
    BarUnit.MONTH: timedelta(days=31),
    BarUnit.TICK: timedelta(0),
}


class Reads:
    """The part of the client that reads. Each read is one request, or several if the answer has pages."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def accounts(self) -> list[VenueAccount]:
        """Return the active accounts of the user."""
        return self._requester.read_list(
            "/api/Account/search", {"onlyActiveAccounts": True}, "accounts", wire.parse_account
        )

    def contracts_available(self) -> list[Contract]:
        """Return the contracts that may be traded now, except those whose root or tick differs from our table."""
        found = self._requester.read_list(
            "/api/Contract/available", {"live": False}, "contracts", _parse_known_contract
        )
        return [contract for contract in found if contract is not None]

    def contract(self, contract_id: str) -> Contract | None:
        """Return a contract, even an expired one; None if the venue has none, or root or tick differ from our table."""
        path = "/api/Contract/searchById"
        found = self._requester.read(path, {"contractId": contract_id}, absent=_NOT_FOUND).get("contract")
        return translate_row(path, _parse_known_contract, found) if found else None

    def bars(self, contract: Contract, wanted: Span, unit: BarUnit = BarUnit.MINUTE, unit_count: int = 1) -> BarsAnswer:
        """Return the bars of `unit_count` units each that start in `wanted` and have closed by its end.

        Missing bars do not prove that there was no trade: history below the hour ends when a contract does.
        """
        length = unit.length * unit_count
        found: list[Bar] = []
        rejected: list[RejectedBar] = []
        end = wanted.end
        while True:
            page = self._read_bar_page(contract, Span(wanted.start, end), unit, unit_count)
            found += [one for one in page if isinstance(one, Bar)]
            rejected += [one for one in page if isinstance(one, RejectedBar)]
            oldest = min((one.start for one in page if one.start is not None), default=wanted.start)
            if len(page) not in _FULL_PAGES or not wanted.start < oldest < end:
                break
            end = oldest
        # The filter does not rely on `includePartialBar` alone. Source: venue.md section 5.5.
        kept = sort_bars(bar for bar in found if wanted.start <= bar.start <= wanted.end - length)
        in_span = [one for one in rejected if one.start is None or wanted.start <= one.start < wanted.end]
        return BarsAnswer(kept, in_span)

    def orders_working(self, account_id: int) -> list[VenueOrder]:
        """Return every order that may still fill, including the suspended legs of brackets."""
        found: dict[int, VenueOrder] = {}
        while True:
            page = self._requester.read_list(
                "/api/Order/v2/query",
                {
                    "filter": {"accountId": account_id, "statuses": list(wire.WORKING)},
                    "pageSize": _PAGE,
                    "pageOffset": len(found),
                    "sortBy": 1,
                    "sortDirection": 0,
                },
                "orders",
                wire.parse_order,
            )
            known = len(found)
            found |= {order.id: order for order in page}
            if len(page) < _PAGE or len(found) == known:
                return list(found.values())

    def order(self, account_id: int, order_id: int) -> VenueOrder | None:
        """Return the order with the venue's id, or None if the account has none."""
        path, body = "/api/Order/searchById", {"accountId": account_id, "orderId": order_id}
        found = self._requester.read(path, body, absent=_NOT_FOUND).get("order")
        return translate_row(path, wire.parse_order, found) if found else None

    def orders_since(
        self, account_id: int, since_market_at: datetime, until_market_at: datetime | None = None
    ) -> list[VenueOrder]:
        """Return the orders created since `since_market_at`, in any state."""
        return self._read_between(
            "/api/Order/search",
            account_id,
            since_market_at,
            until_market_at,
            field="orders",
            translate=wire.parse_order,
        )

    def fills_since(
        self, account_id: int, since_market_at: datetime, until_market_at: datetime | None = None
    ) -> list[VenueFill]:
        """Return the fills since `since_market_at`."""
        return self._read_between(
            "/api/Trade/search", account_id, since_market_at, until_market_at, field="trades", translate=wire.parse_fill
        )

    def positions(self, account_id: int, *, is_exit: bool = False) -> list[VenuePosition]:
        """Return the open positions; `is_exit` for an exit that is sent by them."""
        found = self._requester.read_list(
            "/api/Position/searchOpen", {"accountId": account_id}, "positions", wire.parse_position, is_exit=is_exit
        )
        return [position for position in found if position.quantity]

    def _read_bar_page(
        self, contract: Contract, wanted: Span, unit: BarUnit, unit_count: int
    ) -> list[Bar | RejectedBar]:
        return self._requester.read_list(
            BARS,
            {
                "contractId": contract.id,
                "live": False,  # our data subscription is the simulated tier: with True the answer is empty
                "startTime": wire.format_instant(wanted.start),
                "endTime": wire.format_instant(wanted.end),
                "unit": int(unit),
                "unitNumber": unit_count,
                "limit": MAX_BARS,
                "includePartialBar": False,
            },
            "bars",
            lambda one: wire.parse_bar_or_reject(one, contract, is_minute=unit is BarUnit.MINUTE),
        )

    def _read_between(
        self,
        path: str,
        account_id: int,
        since: datetime,
        until: datetime | None,
        *,
        field: str,
        translate: Callable[[dict[str, Any]], T],
    ) -> list[T]:
        body: dict[str, Any] = {"accountId": account_id, "startTimestamp": wire.format_instant(since)}
        if until is not None:
            body["endTimestamp"] = wire.format_instant(until + timedelta(seconds=1))  # whole seconds: round up
        return self._requester.read_list(path, body, field, translate)


def _parse_known_contract(found: dict[str, Any]) -> Contract | None:
    try:
        return wire.parse_contract(found)
    except ValueError as error:
        log.warning("ignored a contract: %s", error)
        return None
