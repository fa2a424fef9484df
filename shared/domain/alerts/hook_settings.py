"""The settings of a hook: which alerts it takes, and how they trade."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from shared.errors import SettingsError

# https://www.tradingview.com/support/solutions/43000529348
TRADINGVIEW_SENDERS = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
MAX_AGE_S = 30  # TradingView delivers within seconds; an entry older than this meets another market


class SizeMode(StrEnum):
    """How the size of an entry is found."""

    SENT = "sent"  # as the alert says
    FIXED = "fixed"  # `size_value` contracts
    MULTIPLIER = "multiplier"  # the alert's quantity times `size_value`, rounded down, at least 1
    RISK = "risk"  # as many contracts as lose at most `size_value` dollars at the stop


class HookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The settings of one hook, as its row stores them.

    `symbols` maps the roots of alerts to the roots that are traded (an alert on NQ trades MNQ); other roots are
    refused. Empty, every traded root is taken as it is.
    """

    dialect: str = "tickwork"
    symbols: dict[str, str] = {}
    size: SizeMode = SizeMode.SENT
    size_value: Decimal | None = None  # of every size but `sent`
    has_pyramiding: bool = True  # False: no entry on the side that is held
    cooldown_s: int = 0  # after an entry of this hook in the same contract
    is_agreement_required: bool = False  # True: no entry while the chart's prev_market_position is not what is held
    default_stop_ticks: int | None = None  # of an entry without a stop
    max_age_s: int = MAX_AGE_S  # an entry sent longer ago is recorded and not traded
    max_per_second: int = 100  # alerts; more get a 429
    is_test_only: bool = False  # the stack's own hook: its token lies in a file
    senders: tuple[str, ...] = ()  # addresses or networks that may send; empty: all

    def traded_root(self, root: str) -> str | None:
        """Return the root to trade for the root of an alert, None if the hook does not take it."""
        return self.symbols.get(root) if self.symbols else root


def decode_settings(stored: object) -> HookSettings:
    """Return the settings in a row; raise SettingsError for a row that another version has written."""
    try:
        return msgspec.convert(stored, HookSettings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"the settings of a hook are not readable: {error}") from None


def encode_settings(settings: HookSettings) -> dict[str, Any]:
    """Return the settings as a row stores them: those that are not the default."""
    encoded: dict[str, Any] = msgspec.to_builtins(settings)
    return encoded
