"""The messages to paste at a sender, and the examples for a first alert."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.domain.alerts.dialects import DIALECTS

_TRADINGVIEW_PORTS = {None, 80, 443}
_ID = "{{ticker}} {{interval}} {{strategy.order.id}} {{strategy.order.action}} {{timenow}}"


def guidance(url: str, root: str, dialect: str) -> Iterator[str]:
    """Yield examples for a first alert: with curl, and from TradingView."""
    if dialect == "tickwork":
        by_hand = {"action": "buy", "symbol": root, "quantity": 1, "stop_loss_ticks": 40, "id": "try-1"}
        yield "Try it; `-K -` keeps the URL out of the list of processes:\n"
        yield f"  echo 'url = {url}' | curl -sS -K - -d '{json.dumps(by_hand)}'\n"
        yield f"TradingView message of a strategy's alert:\n\n  {tradingview_message(root)}\n"
        close = {"action": "close", "symbol": root}
        yield f"TradingView message of an alert that closes everything in {root}:\n\n  {json.dumps(close)}\n"
    else:
        yield describe_dialect(dialect)
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
        _target(root),
    )
    yield MessageTemplate("strategy_orders", "Strategy alert, trades each order as it comes", tradingview_message(root))
    for action in ("buy", "sell"):
        message = {"action": action, "symbol": root, "quantity": 1, "stop_loss_ticks": 40, "timenow": "{{timenow}}"}
        yield MessageTemplate(f"indicator_{action}", f"Indicator alert that {action}s", json.dumps(message))
    message = {"action": "close", "symbol": root, "timenow": "{{timenow}}"}
    yield MessageTemplate("close_all", "Any alert that closes everything", json.dumps(message))


def tradingview_message(root: str) -> str:
    """Return an alert with TradingView's placeholders; a resend has the same id, a later order another."""
    message = {
        "action": "{{strategy.order.action}}",
        "symbol": root,
        "quantity": "{{strategy.order.contracts}}",
        "stop_loss_ticks": 40,
        "id": _ID,
        "timenow": "{{timenow}}",
    }
    return json.dumps(message)


def _target(root: str) -> str:
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


def describe_dialect(dialect: str) -> str:
    """Return where the messages of a dialect that is not ours are found."""
    return (
        f"This hook reads the dialect {dialect} ({DIALECTS[dialect].summary}): use the messages of that sender; "
        "docs/reference/dialects.md has an example, and `tickwork alerts mock` shows how one is read.\n"
    )
