"""The base of a strategy: frozen parameters, checked when they are set, and one pure decision."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from shared.domain.market_data.timeframe import Timeframe
from shared.domain.strategies.decision import Decision
from shared.domain.strategies.parameters import read_parameter
from shared.domain.strategies.strategy_error import StrategyError
from shared.domain.strategies.view import View


class Strategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A strategy and its parameters, which are the annotated fields of a subclass with their defaults.

    `decide` is called when a bar of `timeframe` has closed. Raise StrategyError for an invalid parameter.
    """

    timeframe: str = "5m"

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(type(self)):
            read_parameter(type(self), field.name, getattr(self, field.name), is_text=False)
        try:
            Timeframe.parse(self.timeframe)
        except ValueError as error:
            raise StrategyError(f"invalid timeframe: {error}") from None
        self.check()

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the strategy with these parameters, of which text such as `14` is read by the field's type."""
        known = [field.name for field in msgspec.structs.fields(cls)]
        for name in parameters:
            if name not in known:
                raise StrategyError(f"unknown parameter {name!r}: expected one of {', '.join(known)}")
        return cls(**{name: read_parameter(cls, name, value, is_text=True) for name, value in parameters.items()})

    def check(self) -> None:
        """Raise StrategyError if the parameters do not go together; a subclass may override it."""

    def decide(self, view: View) -> Decision | None:
        """Return what to do now that a bar has closed, None for nothing. Pure: the view has all that may be known."""
        raise NotImplementedError(f"the strategy {type(self).__name__} has no method decide")
