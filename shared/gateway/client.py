"""The venue as our programs see it: questions that may be repeated, and mutations that never are."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import tenacity

from shared.config import Venue
from shared.domain.bar import MINUTE, Bar, in_order
from shared.domain.contract import Contract
from shared.domain.coverage import Span
from shared.domain.order import Side
from shared.errors import AmbiguousOutcomeError, OrderRejectedError, RefusedError, VenueDownError
from shared.gateway import wire
from shared.gateway.auth import Login
from shared.gateway.errors import NotSentError, TagInUseError
from shared.gateway.ports import Budget, CallLog, Limiter, TokenStore
from shared.gateway.transport import TokenRefusedError, Transport, complaint
from shared.gateway.wire import VenueAccount, VenueFill, VenueOrder, VenuePosition

T = TypeVar("T")

log = logging.getLogger(__name__)

# Below what a renewed lease surely has left (10 s, renewed every 3 s): no other worker may act while a call is out.
TIMEOUT = timedelta(seconds=6)
MOST_BARS = 20_000
# Sources disagree on the venue's page: 20,000 bars, or silently 1,000. Either may mean that there is more.
_FULL_PAGES = {MOST_BARS, 1_000}
_PAGE = 500
# Codes after which nobody knows what was done: still pending, and unknown. Source: venue.md sections 5.6, 5.8, 5.14.
_UNCLEAR_PLACE = {6, 7}
_UNCLEAR_CANCEL = {4, 5}
_UNCLEAR_CLOSE = {6, 7}
_NO_CONTRACT = 1
_TAG_IN_USE = "custom tag is already in use"


class GatewayClient:
    """Speaks to one venue for one user; safe to share between threads. The real venue is read-only so far.

    Every method may raise VenueDownError, RateLimitedError, CredentialsRefusedError, or NotSentError.
    """

    def __init__(
        self, venue: Venue, tokens: TokenStore, limiter: Limiter, calls: CallLog, *, timeout: timedelta = TIMEOUT
    ) -> None:
        self._venue = venue
        self._limiter = limiter
        self._transport = Transport(venue.url, calls, timeout)
        self._login = Login(venue, self._transport, tokens, limiter)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def get_ready(self) -> None:
        """Log in if need be, so that the next call is one request and no more."""
        self._login.token()

    def accounts(self) -> list[VenueAccount]:
        """Return the active accounts of the user."""
        return self._list("/api/Account/search", {"onlyActiveAccounts": True}, "accounts", wire.account)

    def contracts_available(self) -> list[Contract]:
        """Return the contracts that may be traded now; one whose root or tick is not the one we know is left out."""
        found = self._list("/api/Contract/available", {"live": False}, "contracts", _known_contract)
        return [contract for contract in found if contract is not None]

    def contract(self, contract_id: str) -> Contract | None:
        """Return one contract, expired ones too; None if the venue has none, or one whose root or tick is not ours."""
        path = "/api/Contract/searchById"
        found = self._read(path, {"contractId": contract_id}, absent=_NO_CONTRACT).get("contract")
        return _translated(path, _known_contract, found) if found else None

    def search_contracts(self, text: str) -> list[Contract]:
        """Return at most 20 active contracts; the venue's search is fuzzy, so never take the first."""
        found = self._list("/api/Contract/search", {"searchText": text, "live": False}, "contracts", _known_contract)
        return [contract for contract in found if contract is not None]

    def bars(self, contract: Contract, wanted: Span) -> list[Bar]:
        """Return the one-minute bars that start in `wanted` and have closed by its end, oldest first."""
        found: list[Bar] = []
        end = wanted.end
        while True:
            page = self._list(
                "/api/History/retrieveBars",
                {
                    "contractId": contract.id,
                    "live": False,
                    "startTime": wire.text_of(wanted.start),
                    "endTime": wire.text_of(end),
                    "unit": 2,
                    "unitNumber": 1,
                    "limit": MOST_BARS,
                    "includePartialBar": False,
                },
                "bars",
                lambda one: wire.bar(one, contract.tick_size),
                budget="bars",
            )
            found += page
            oldest = min((bar.start for bar in page), default=wanted.start)
            if len(page) not in _FULL_PAGES or not wanted.start < oldest < end:
                break
            end = oldest
        return in_order(bar for bar in found if wanted.start <= bar.start and bar.start + MINUTE <= wanted.end)

    def orders_working(self, account_id: int) -> list[VenueOrder]:
        """Return every order that may still fill, the suspended legs of brackets included."""
        found: dict[int, VenueOrder] = {}
        while True:
            page = self._list(
                "/api/Order/v2/query",
                {
                    "filter": {"accountId": account_id, "statuses": list(wire.WORKING)},
                    "pageSize": _PAGE,
                    "pageOffset": len(found),
                    "sortBy": 1,
                    "sortDirection": 0,
                },
                "orders",
                wire.order,
            )
            known = len(found)
            found |= {order.id: order for order in page}
            if len(page) < _PAGE or len(found) == known:
                return list(found.values())

    def orders_since(self, account_id: int, since_market_at: datetime) -> list[VenueOrder]:
        """Return the orders created since then, whatever became of them."""
        return self._since("/api/Order/search", account_id, since_market_at, "orders", wire.order)

    def fills_since(self, account_id: int, since_market_at: datetime) -> list[VenueFill]:
        """Return the executions since then."""
        return self._since("/api/Trade/search", account_id, since_market_at, "trades", wire.fill)

    def positions(self, account_id: int) -> list[VenuePosition]:
        """Return the open positions."""
        return self._list("/api/Position/searchOpen", {"accountId": account_id}, "positions", wire.position)

    def place_market(
        self,
        *,
        account_id: int,
        contract: Contract,
        side: Side,
        quantity: int,
        tag: str,
        stop_loss_ticks: int | None,
        take_profit_ticks: int | None,
    ) -> int:
        """Place a market order with its bracket; return the venue's order id. Ticks come unsigned and leave signed.

        Raise OrderRejectedError when it was certainly refused, NotSentError when it certainly did not reach the venue,
        TagInUseError when the tag is known there, AmbiguousOutcomeError when nobody knows.
        """
        body: dict[str, Any] = {
            "accountId": account_id,
            "contractId": contract.id,
            "type": wire.MARKET,
            "side": wire.SIDE_NUMBERS[side],
            "size": quantity,
            "customTag": tag,
        }
        # Offsets from the fill: a long's stop lies below it, a short's above.
        if stop_loss_ticks is not None:
            body["stopLossBracket"] = {"ticks": -side.sign * stop_loss_ticks, "type": wire.STOP}
        if take_profit_ticks is not None:
            body["takeProfitBracket"] = {"ticks": side.sign * take_profit_ticks, "type": wire.LIMIT}
        answer = self._mutate("/api/Order/place", body, _UNCLEAR_PLACE)
        order_id = answer.get("orderId")
        if not isinstance(order_id, int):
            raise AmbiguousOutcomeError(f"the venue accepted order {tag} and named no id")
        return order_id

    def cancel(self, account_id: int, order_id: int) -> None:
        """Ask for an order's cancel; accepted is not cancelled, a fill may win the race."""
        self._mutate("/api/Order/cancel", {"accountId": account_id, "orderId": order_id}, _UNCLEAR_CANCEL)

    def close_contract(self, account_id: int, contract_id: str) -> None:
        """Ask for a market order that closes the whole position; legs of its bracket may stay behind."""
        body = {"accountId": account_id, "contractId": contract_id}
        self._mutate("/api/Position/closeContract", body, _UNCLEAR_CLOSE)

    def _since(
        self, path: str, account_id: int, since: datetime, field: str, translate: Callable[[dict[str, Any]], T]
    ) -> list[T]:
        body = {"accountId": account_id, "startTimestamp": wire.text_of(since)}
        return self._list(path, body, field, translate)

    def _list(
        self,
        path: str,
        body: Mapping[str, Any],
        field: str,
        translate: Callable[[dict[str, Any]], T],
        *,
        budget: Budget = "other",
    ) -> list[T]:
        found = self._read(path, body, budget).get(field)
        if not isinstance(found, list):  # only an explicit list proves that there is none
            raise VenueDownError(f"{path}: the answer holds no list of {field}")
        return [_translated(path, translate, one) for one in found]

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type((VenueDownError, NotSentError)),
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=0.3),
        reraise=True,
    )
    def _read(
        self, path: str, body: Mapping[str, Any], budget: Budget = "other", *, absent: int | None = None
    ) -> dict[str, Any]:
        """Return the answer; `absent` is the error code, if any, that only says that there is none."""
        answer = self._call(path, body, budget, is_mutation=False)
        code, success = answer.get("errorCode"), answer.get("success")
        if (success is True and code == 0) or (success is False and code is not None and code == absent):
            return answer
        if success is not False or not isinstance(code, int) or code == 0:
            raise VenueDownError(f"{path}: the answer contradicts itself: success {success}, {complaint(answer)}")
        raise RefusedError(f"{path}: {complaint(answer)}")

    def _mutate(self, path: str, body: Mapping[str, Any], unclear: set[int]) -> dict[str, Any]:
        if not self._venue.is_simulator:
            raise RefusedError(f"{path}: the real venue is read-only in this version, only the simulator takes orders")
        answer = self._call(path, body, "other", is_mutation=True)
        code, success = answer.get("errorCode"), answer.get("success")
        if success is True and code == 0:
            return answer
        if success is not False or not isinstance(code, int) or code == 0 or code in unclear:
            raise AmbiguousOutcomeError(f"{path}: {complaint(answer)}")
        if _TAG_IN_USE in str(answer.get("errorMessage")).lower():
            raise TagInUseError(f"{path}: {complaint(answer)}")
        raise OrderRejectedError(f"{path}: {complaint(answer)}")

    def _call(self, path: str, body: Mapping[str, Any], budget: Budget, *, is_mutation: bool) -> dict[str, Any]:
        self._limiter.acquire(budget)
        token = self._login.token()
        try:
            return self._transport.post(path, body, token=token, is_mutation=is_mutation)
        except TokenRefusedError:
            if is_mutation:  # nothing was done; the job that asks again logs in first, while its lease is young
                self._login.forget(token)
                raise NotSentError(f"{path}: the token has run out") from None
            token = self._login.renew(token)
        self._limiter.acquire(budget)
        try:
            return self._transport.post(path, body, token=token, is_mutation=is_mutation)
        except TokenRefusedError:
            raise NotSentError(f"{path}: the venue refuses a token that it has just given us") from None


def _translated(path: str, translate: Callable[[dict[str, Any]], T], found: dict[str, Any]) -> T:
    try:
        return translate(found)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise VenueDownError(f"{path}: the answer cannot be read: {type(error).__name__}: {error}") from error


def _known_contract(found: dict[str, Any]) -> Contract | None:
    try:
        return wire.contract(found)
    except ValueError as error:
        log.warning("left out: %s", error)
        return None
