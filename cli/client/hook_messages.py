"""The messages to paste at a sender, and the examples for a first alert."""

import json
from collections.abc import Iterator
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
        yield _of_another_dialect(dialect)
    if urlsplit(url).scheme != "https" or urlsplit(url).port not in _TRADINGVIEW_PORTS:
        yield "TradingView reaches only public addresses, on port 80 or 443: put a proxy with https in front of the"
        yield "receiver as docs/howto/expose-the-receiver.md shows, and set TICKWORK_PUBLIC_URL to its address."


def templates(root: str, dialect: str) -> Iterator[tuple[str, str]]:
    """Yield what each message is for, and the message, with TradingView's placeholders."""
    if dialect != "tickwork":
        yield "Note", _of_another_dialect(dialect)
        return
    yield "Strategy alert, trades the position that the chart shows (one chart per account and product)", _target(root)
    yield "Strategy alert, trades each order as it comes", tradingview_message(root)
    for action in ("buy", "sell"):
        message = {"action": action, "symbol": root, "quantity": 1, "stop_loss_ticks": 40, "timenow": "{{timenow}}"}
        yield f"Indicator alert that {action}s", json.dumps(message)
    yield "Any alert that closes everything", json.dumps({"action": "close", "symbol": root, "timenow": "{{timenow}}"})


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


def _of_another_dialect(dialect: str) -> str:
    return (
        f"This hook reads the dialect {dialect} ({DIALECTS[dialect].summary}): use the messages of that sender; "
        "docs/reference/dialects.md has an example, and `tickwork alerts mock` shows how one is read.\n"
    )
