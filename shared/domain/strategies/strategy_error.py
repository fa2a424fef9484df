"""The error of a strategy: a parameter or a decision that is invalid, or bars that do not exist."""

from shared.errors import RefusedError


class StrategyError(RefusedError):
    """A strategy asked for or decided what does not exist; the message names the value and what was expected."""


class TooFewBarsError(StrategyError):
    """The strategy asked for more bars than exist: it decides nothing until there are enough."""
