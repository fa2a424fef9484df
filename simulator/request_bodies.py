"""The request bodies of the venue, with the field names of its API."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
ENUM = {"is_enum": True}  # a number only: the venue reads no enumeration from a string
EnumNumber = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1, extra=ENUM)]


class RequestBody(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A request. Unknown fields are ignored, as the venue does. [SIM] A boolean left out is false, as .NET reads it."""


class LoginKeyBody(RequestBody, frozen=True):
    """Auth/loginKey."""

    user_name: str
    api_key: str


class LoginAppBody(RequestBody, frozen=True):
    """Auth/loginApp, the flow of firms."""

    user_name: str
    password: str
    device_id: str
    app_id: str
    verify_key: str


class AccountSearchBody(RequestBody, frozen=True):
    """Account/search."""

    only_active_accounts: bool = False


class ContractSearchBody(RequestBody, frozen=True):
    """Contract/search."""

    live: bool = False
    search_text: str | None = None


class ContractByIdBody(RequestBody, frozen=True):
    """Contract/searchById."""

    contract_id: str


class ContractsAvailableBody(RequestBody, frozen=True):
    """Contract/available."""

    live: bool = False


class RetrieveBarsBody(RequestBody, frozen=True, kw_only=True):
    """History/retrieveBars."""

    contract_id: str
    live: bool = False
    start_time: datetime
    end_time: datetime
    unit: EnumNumber
    unit_number: Int32
    limit: Int32
    include_partial_bar: bool = False


class WireBracket(RequestBody, frozen=True):
    """A bracket of Order/place."""

    ticks: Int32
    type: EnumNumber


class PlaceOrderBody(RequestBody, frozen=True):
    """Order/place."""

    account_id: Int32
    contract_id: str
    type: EnumNumber
    side: Annotated[int, msgspec.Meta(ge=0, le=1, extra=ENUM)]
    size: Int32
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    custom_tag: str | None = None
    stop_loss_bracket: WireBracket | None = None
    take_profit_bracket: WireBracket | None = None


class ModifyOrderBody(RequestBody, frozen=True):
    """Order/modify."""

    account_id: Int32
    order_id: Int64
    size: Int32 | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None


class OrderByIdBody(RequestBody, frozen=True):
    """Order/cancel and Order/searchById."""

    account_id: Int32
    order_id: Int64


class OrderSearchBody(RequestBody, frozen=True):
    """Order/search."""

    account_id: Int32
    start_timestamp: datetime
    end_timestamp: datetime | None = None


class OrderFilter(RequestBody, frozen=True):
    """The filter of Order/v2/query."""

    account_id: Int32
    statuses: list[EnumNumber] | None = None
    contract_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class OrderQueryBody(RequestBody, frozen=True):
    """Order/v2/query; the defaults are ours, the venue documents none."""

    filter: OrderFilter
    page_size: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    page_offset: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None
    sort_by: Annotated[int, msgspec.Meta(ge=0, le=1, extra=ENUM)] | None = None
    sort_direction: Annotated[int, msgspec.Meta(ge=0, le=1, extra=ENUM)] | None = None
    include_total_count: bool | None = None


class AccountBody(RequestBody, frozen=True):
    """Order/searchOpen and Position/searchOpen."""

    account_id: Int32


class ClosePositionBody(RequestBody, frozen=True):
    """Position/closeContract."""

    account_id: Int32
    contract_id: str


class PartialCloseBody(RequestBody, frozen=True):
    """Position/partialCloseContract."""

    account_id: Int32
    contract_id: str
    size: Int32


class TradeSearchBody(RequestBody, frozen=True):
    """Trade/search."""

    account_id: Int32
    start_timestamp: datetime | None = None
    end_timestamp: datetime | None = None
