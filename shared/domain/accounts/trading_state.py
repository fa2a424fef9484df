"""The trading state of an account: the entries that a person, or a program in trouble, lets pass."""

from enum import StrEnum


class TradingState(StrEnum):
    """TRADING: entries pass their checks. REDUCING: only one that makes a position smaller. HALTED: none.

    Exits pass in every state.
    """

    TRADING = "TRADING"
    REDUCING = "REDUCING"
    HALTED = "HALTED"
