"""The request bodies of the control port."""

from decimal import Decimal
from typing import Annotated

import msgspec

from simulator.venue.records import AccountStage

_LONGEST_STEP = 31 * 86_400


class PriceStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a price path: straight to `price` within `seconds` of market time; see market.script.Step."""

    price: Decimal
    seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 1
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: Annotated[int, msgspec.Meta(ge=0)] = 0


class PricePath(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The price path of a contract from now on; `contract` is its id or its root, such as MNQ.

    With `wait` the answer comes once market time has reached the end of the path.
    """

    contract: str
    steps: list[PriceStep]
    wait: bool = False


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user who may log in, besides the user of the settings."""

    user: str
    key: str


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to open, of a `kind` such as 50KTC-DLL, or of a `stage` with a size.

    `user` "" means the user of the settings; `balance` replaces the starting balance of the stage.
    """

    kind: str | None = None
    stage: AccountStage | None = None
    user: str = ""
    size: int = 50_000
    balance: Decimal | None = None


class ClockStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The seconds by which a stepped market advances."""

    step: Annotated[float, msgspec.Meta(gt=0, le=_LONGEST_STEP)]
