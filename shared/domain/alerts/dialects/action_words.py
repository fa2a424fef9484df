"""The words of an action that mean the same with every sender, and what several of them in one message mean."""

import re
from collections.abc import Mapping

from shared.domain.alerts.payload import Json

# A word is compared in lower case, with _ for a blank or a hyphen.
ENTRIES = {"buy": "buy", "long": "buy", "sell": "sell", "short": "sell"}
EXITS = {
    "close": "close", "exit": "close", "flatten": "close", "flat": "close", "close_all": "close", "exit_all": "close",
    "close_position": "close", "close_long": "close_long", "exit_long": "close_long", "closelong": "close_long",
    "exitlong": "close_long", "long_exit": "close_long", "sell_to_close": "close_long", "close_short": "close_short",
    "exit_short": "close_short", "closeshort": "close_short", "exitshort": "close_short", "short_exit": "close_short",
    "buy_to_cover": "close_short", "buy_to_close": "close_short",
}  # fmt: skip
CHANGES = {
    "cancel": "cancel", "cancel_all": "cancel", "cancel_orders": "cancel", "move_stop": "move_stop",
    "breakeven": "breakeven", "move_to_breakeven": "breakeven", "trail": "trail", "test": "test",
}  # fmt: skip
OUR_EXITS = {*EXITS.values()}
OUR_CHANGES = {*CHANGES.values()}
_SIDED_EXITS = {"long": "close_long", "short": "close_short"}  # by the side of the position


def normalize_word(value: Json) -> str:
    """Return a word of an action as the tables have it, "" for what is no text."""
    return re.sub(r"[\s-]+", "_", value.strip().lower()) if isinstance(value, str) else ""


def combine_actions(main: str | None, others: Mapping[str, str], actions: Mapping[str, str]) -> str | None:
    """Return the action that a message says under several names, None if they contradict each other.

    `main` is the word under the sender's own name for the action, `others` are those under other names: name -> word.
    An exit may have other words beside it: its side narrows it, also as `side` long or short, and all else is left
    aside. An entry or a change must be the same under each name.
    """
    words = [*([] if main is None else [main]), *others.values()]
    said = [actions.get(word) for word in words]
    exits = OUR_EXITS.intersection(said)
    is_main_exit = main is None or actions.get(main, "close") in OUR_EXITS
    if not exits or not is_main_exit:
        return said[0] if len(set(said)) == 1 else None
    sides = exits - {"close"} or {
        _SIDED_EXITS[word] for name, word in others.items() if name.endswith("side") and word in _SIDED_EXITS
    }
    if len(sides) > 1:
        return None
    return sides.pop() if sides else "close"
