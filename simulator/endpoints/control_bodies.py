"""The bodies that the control port takes."""

from decimal import Decimal
from typing import Annotated

import msgspec

from simulator.venue.records import AccountStage

_LONGEST_STEP = 31 * 86_400


class PriceStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One piece of a path: straight to `price` within `seconds` of market time; see simulator.market.script.Step."""

    price: Decimal
    seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 1
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: Annotated[int, msgspec.Meta(ge=0)] = 0


class PricePath(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a contract, named by its id or its root (MNQ), does from now on.

    With `wait` the answer comes once the price has reached the end of the path.
    """

    contract: str
    steps: list[PriceStep]
    wait: bool = False


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who else may log in."""

    user: str
    key: str


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to open, for the simulator's own user unless said; `balance` replaces what its stage begins with."""

    stage: AccountStage
    user: str = ""
    size: int = 50_000
    balance: Decimal | None = None


class ClockStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far market time moves on, in seconds."""

    step: Annotated[float, msgspec.Meta(gt=0, le=_LONGEST_STEP)]
