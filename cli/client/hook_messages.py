"""The messages to paste at a sender, and the examples for a first alert."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.domain.alerts.dialects import DIALECTS
from shared.domain.alerts.hook_settings import HookSettings, SizeMode

_TRADINGVIEW_PORTS = {None, 80, 443}
_ID = "{{ticker}} {{interval}} {{strategy.order.id}} {{strategy.order.action}} {{timenow}}"


def guidance(url: str, root: str, settings: HookSettings) -> Iterator[str]:
    """Yield examples for a first alert: with curl, and from TradingView."""
    if settings.dialect == "tickwork":
        by_hand = {"action": "buy", "symbol": root, "quantity": 1, "stop_loss_ticks": 40, "id": "try-1"}
        yield "Try it; `-K -` keeps the URL out of the list of processes:\n"
        yield f"  echo 'url = {url}' | curl -sS -K - -d '{json.dumps(by_hand)}'\n"
        if settings.size is SizeMode.RISK:
            yield "TradingView message of a strategy's alert, which trades each order as it comes:"
            yield f"\n  {order_message(root)}\n"
        else:
            yield "TradingView message of a strategy's alert, which trades the position that the chart shows (one chart"
            yield f"for an account and product; `tickwork hooks template` has others):\n\n  {position_message(root)}\n"
        close = {"action": "close", "symbol": root, "timenow": "{{timenow}}"}
        yield f"TradingView message of an alert that closes everything in {root}:\n\n  {json.dumps(close)}\n"
    else:
        yield describe_dialect(settings.dialect)
    if urlsplit(url).scheme != "https" or urlsplit(url).port not in _TRADINGVIEW_PORTS:
        yield "TradingView reaches only public addresses, on port 80 or 443: put a proxy with https in front of the"
        yield "receiver as docs/howto/expose-the-receiver.md shows, and set TICKWORK_PUBLIC_URL to its address."


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A message for TradingView, with its placeholders: of which kind it is, and for people what it is for."""

    kind: str
    purpose: str
    message: str


def templates(root: str) -> Iterator[MessageTemplate]:
    """Yield the messages of our own dialect."""
    yield MessageTemplate(
        "strategy_position",
        "Strategy alert, trades the position that the chart shows (one chart per account and product)",
        position_message(root),
    )
    yield MessageTemplate(
        "strategy_orders",
        "Strategy alert, trades each order as it comes: an exit of the chart opens a position where nothing is held, "
        "as after a stop",
        order_message(root),
    )
    for action in ("buy", "sell"):
        message = {"action": action, "symbol": root, "quantity": 1, "stop_loss_ticks": 40, "timenow": "{{timenow}}"}
        yield MessageTemplate(f"indicator_{action}", f"Indicator alert that {action}s", json.dumps(message))
    message = {"action": "close", "symbol": root, "timenow": "{{timenow}}"}
    yield MessageTemplate("close_all", "Any alert that closes everything", json.dumps(message))


def order_message(root: str) -> str:
    """Return an alert that is an order; a resend has the same id, a later order another."""
    message = {
        "action": "{{strategy.order.action}}",
        "symbol": root,
        "quantity": "{{strategy.order.contracts}}",
        "stop_loss_ticks": 40,
        "id": _ID,
        "timenow": "{{timenow}}",
    }
    return json.dumps(message)


def position_message(root: str) -> str:
    """Return an alert that is the position of a chart, so that an exit never opens one."""
    message = {
        "action": "{{strategy.order.action}}",
        "symbol": root,
        "quantity": "{{strategy.order.contracts}}",
        "market_position": "{{strategy.market_position}}",
        "market_position_size": "{{strategy.market_position_size}}",
        "prev_market_position": "{{strategy.prev_market_position}}",
        "stop_loss_ticks": 40,
        "timenow": "{{timenow}}",
    }
    return json.dumps(message)


def warn_of_size(settings: HookSettings) -> str | None:
    """Return that plain orders do not fit the size of a hook, None if they do.

    A size of its own, or one that is rounded, tells an exit of the chart from an entry no more.
    """
    is_whole = settings.size is SizeMode.SENT or (
        settings.size is SizeMode.MULTIPLIER and (settings.size_value or 0) % 1 == 0
    )
    if is_whole or DIALECTS[settings.dialect].enters_positions:
        return None
    way = (
        "send the exits as `close`, or choose a size in contracts and let the messages say market_position"
        if settings.size is SizeMode.RISK
        else "let the messages say market_position, as those of `tickwork hooks template` do, or send exits as `close`"
    )
    return (
        "with this size a plain buy or sell is an order of that size also where the chart only closes a part, and may "
        f"open a position or leave one: {way}"
    )


def describe_dialect(dialect: str) -> str:
    """Return where the messages of a dialect that is not ours are found."""
    return (
        f"This hook reads the dialect {dialect} ({DIALECTS[dialect].summary}): use the messages of that sender; "
        "docs/reference/dialects.md has an example, and `tickwork alerts mock` shows how one is read.\n"
    )
