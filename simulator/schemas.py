"""The schemas of the venue's answers, with the names of its API page and of its error codes (venue.md 3, 5).

wire.py builds the simulator's answers; a test checks them against these schemas.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from simulator.request_bodies import Int32, Int64


class Model(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A row of an answer."""


class TradingAccountModel(Model, frozen=True):
    """One trading account."""

    id: Int32
    name: str
    balance: Decimal
    can_trade: bool
    is_visible: bool
    simulated: bool


class ContractModel(Model, frozen=True):
    """One contract; a tick is the least step of its price, worth `tickValue` dollars."""

    id: str
    name: str
    description: str
    tick_size: Decimal
    tick_value: Decimal
    active_contract: bool
    symbol_id: str


class AggregateBarModel(Model, frozen=True):
    """One bar: `t` is when it opened."""

    t: datetime
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the venue's name
    c: Decimal
    v: Int64


class OrderModel(Model, frozen=True):
    """One order. Side 0 buys, 1 sells; status and type are the venue's enumerations."""

    id: Int64
    account_id: Int32
    contract_id: str
    symbol_id: str
    creation_timestamp: datetime
    update_timestamp: datetime | None
    status: Int32
    type: Int32
    side: Int32
    size: Int32
    limit_price: Decimal | None
    stop_price: Decimal | None
    fill_volume: Int32
    filled_price: Decimal | None
    custom_tag: str | None
    trail_distance: Int32 | None
    trail_price: Decimal | None
    parent_order_id: Int64 | None
    linked_order_id: Int64 | None


class PositionModel(Model, frozen=True):
    """One open position: type 1 is long, 2 short; the size has no sign."""

    id: Int32
    account_id: Int32
    contract_id: str
    contract_display_name: str | None
    creation_timestamp: datetime
    type: Int32
    size: Int32
    average_price: Decimal


class HalfTradeModel(Model, frozen=True):
    """One fill; `profitAndLoss` is gross, and null when it opens."""

    id: Int64
    account_id: Int32
    contract_id: str
    creation_timestamp: datetime
    price: Decimal
    profit_and_loss: Decimal | None
    fees: Decimal
    commissions: Decimal | None
    side: Int32
    size: Int32
    voided: bool
    order_id: Int64


@dataclass(frozen=True, slots=True)
class EndpointSchema:
    """An answer: the names of its error codes from 0 on, separated by spaces, and its fields besides the envelope."""

    codes: str
    payload: Mapping[str, Any]


_LOGIN = (
    "Success UserNotFound PasswordVerificationFailed InvalidCredentials AppNotFound AppVerificationFailed "
    "InvalidDevice AgreementsNotSigned UnknownError ApiSubscriptionNotFound ApiKeyAuthenticationDisabled"
)
_OF_ACCOUNT = "Success AccountNotFound"
_CHANGE = "Success AccountNotFound OrderNotFound Rejected Pending UnknownError AccountRejected"
_CLOSE = "Success AccountNotFound PositionNotFound ContractNotFound ContractNotActive "

SCHEMAS: Mapping[str, EndpointSchema] = {
    "/api/Auth/loginKey": EndpointSchema(_LOGIN, {"token": str | None}),
    "/api/Auth/loginApp": EndpointSchema(_LOGIN, {"token": str | None}),
    "/api/Auth/validate": EndpointSchema(
        "Success InvalidSession SessionNotFound ExpiredToken UnknownError", {"newToken": str | None}
    ),
    "/api/Auth/logout": EndpointSchema("Success InvalidSession UnknownError", {}),
    "/api/Account/search": EndpointSchema("Success", {"accounts": list[TradingAccountModel] | None}),
    "/api/Contract/search": EndpointSchema("Success", {"contracts": list[ContractModel] | None}),
    "/api/Contract/searchById": EndpointSchema("Success ContractNotFound", {"contract": ContractModel | None}),
    "/api/Contract/available": EndpointSchema("Success", {"contracts": list[ContractModel] | None}),
    "/api/History/retrieveBars": EndpointSchema(
        "Success ContractNotFound UnitInvalid UnitNumberInvalid LimitInvalid", {"bars": list[AggregateBarModel] | None}
    ),
    "/api/Order/place": EndpointSchema(
        "Success AccountNotFound OrderRejected InsufficientFunds AccountViolation OutsideTradingHours OrderPending "
        "UnknownError ContractNotFound ContractNotActive AccountRejected",
        {"orderId": Int64 | None},
    ),
    "/api/Order/cancel": EndpointSchema(_CHANGE, {}),
    "/api/Order/modify": EndpointSchema(f"{_CHANGE} ContractNotFound", {}),
    "/api/Order/search": EndpointSchema(_OF_ACCOUNT, {"orders": list[OrderModel] | None}),
    "/api/Order/searchOpen": EndpointSchema(_OF_ACCOUNT, {"orders": list[OrderModel] | None}),
    "/api/Order/searchById": EndpointSchema("Success OrderNotFound", {"order": OrderModel | None}),
    "/api/Order/v2/query": EndpointSchema(_OF_ACCOUNT, {"orders": list[OrderModel] | None, "totalCount": Int32 | None}),
    "/api/Position/searchOpen": EndpointSchema(_OF_ACCOUNT, {"positions": list[PositionModel] | None}),
    "/api/Position/closeContract": EndpointSchema(
        f"{_CLOSE}OrderRejected OrderPending UnknownError AccountRejected", {}
    ),
    "/api/Position/partialCloseContract": EndpointSchema(
        f"{_CLOSE}InvalidCloseSize OrderRejected OrderPending UnknownError AccountRejected", {}
    ),
    "/api/Trade/search": EndpointSchema(_OF_ACCOUNT, {"trades": list[HalfTradeModel] | None}),
}  # fmt: skip
