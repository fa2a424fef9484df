"""The alerts of PickMyTrade: symbol, data, quantity and price, tp and sl, with 0 for none."""

from collections.abc import Mapping

from shared.domain.alerts.dialects.action_words import ENTRIES, EXITS
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.dialects.vocabulary import Vocabulary, drop_unset, is_exit, is_set, set_position
from shared.domain.alerts.entry_order import ORDER_TYPES, PRICE_OF_TYPE
from shared.domain.alerts.field_names import plain_name
from shared.domain.alerts.fields import invalid_value
from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value

EXAMPLE = (
    '{"symbol": "MNQ1!", "date": "{{timenow}}", "data": "buy", "quantity": 1, "order_type": "MKT", "tp": 21540.25, '
    '"sl": 21480.25, "reverse_order_close": true, "duplicate_position_allow": false}'
)
_DISTANCE = "send the price as tp or sl, or our take_profit_ticks or stop_loss_ticks"
_TRAIL = "send sl, and later alerts with update_sl"
_RISK = "send the contracts as quantity, or give the hook a size in contracts"
WORDS = Vocabulary(
    fields={
        "symbol": "symbol",
        "data": "action",
        "quantity": "quantity",
        "date": "timenow",
        "order_type": "order_type",
        "tp": "take_profit",
        "sl": "stop_loss",
        "price": "price",  # of a limit or stop order; with a market order it is the chart's
        "position": "market_position",  # of a strategy: flat is an exit
        "update_sl": "update_sl",  # moves the stop to sl instead of entering
        "reverse_order_close": "reverse_order_close",
        "pyramid": "pyramid",
        "duplicate_position_allow": "duplicate_position_allow",
        "gtd_in_second": "gtd_in_second",
    },  # strategy_name, platform and others are kept
    actions={**ENTRIES, **EXITS},  # with reverse_order_close an entry closes the other side first
    refused={
        "percentage_tp": _DISTANCE,
        "percentage_sl": _DISTANCE,
        "dollar_tp": _DISTANCE,
        "dollar_sl": _DISTANCE,
        "risk_percentage": _RISK,
        "trail": _TRAIL,
        "trail_stop": _TRAIL,
        "trail_trigger": _TRAIL,
        "trail_freq": _TRAIL,
        "breakeven": "send sl, and later an alert with update_sl",
        "update_tp": "a target cannot be moved by an alert: set it to false",
        "advance_tp_sl": "an entry has one stop and one target: send tp and sl",
        "stp_limit_stp_price": "a stop-limit order cannot be placed: send order_type STP or LMT with price",
        "same_direction_ignore": "set it to false, and switch off the hook's pyramiding",
    },
    example=EXAMPLE,
)
_ORDER_TYPES = {
    "mkt": "market", "market": "market", "lmt": "limit", "limit": "limit", "stp": "stop", "stop": "stop",
}  # fmt: skip
_ZERO_FOR_NONE = ("quantity", "take_profit", "stop_loss", "order_type")
_LESS_OF_ACCOUNT = ("", "1", "1.0")  # a multiplier that changes nothing


def _read(raw: bytes) -> dict[str, Json]:
    body = WORDS.read_json(raw)
    accounts = body.pop("multiple_accounts", None)  # it holds tokens; the hook says which accounts trade
    payload = WORDS.rename(body)
    drop_unset(payload, _ZERO_FOR_NONE)
    if is_exit(payload):
        return _to_exit(payload, body)
    WORDS.require_honoured(body, payload)
    _require_one_account(accounts)
    if is_set(payload.pop("update_sl", None)):
        return payload | {"action": "move_stop"}
    _set_order(payload)
    _apply_reversal(payload)
    return payload


def _to_exit(payload: dict[str, Json], body: Mapping[str, Json]) -> dict[str, Json]:
    """Return an exit with its quantity; PickMyTrade's `close` is of all whatever the quantity."""
    words = {str(value).strip().lower() for name, value in body.items() if plain_name(name) in {"data", "action"}}
    if words == {"close"}:
        payload.pop("quantity", None)  # its generator writes one into every alert
    return payload


def _require_one_account(accounts: Json) -> None:
    """Raise RefusedAlertError for accounts with sizes of their own: a hook has its accounts, all with one size."""
    entries = accounts if isinstance(accounts, list) else []
    if len(entries) > 1:
        hint = "add the accounts to the hook, and send one"
        raise RefusedAlertError(f"{len(entries)} multiple_accounts", field="multiple_accounts", hint=hint)
    for account in filter(lambda entry: isinstance(entry, dict), entries):
        assert isinstance(account, dict)  # noqa: S101
        multiplier, risk = account.get("quantity_multiplier"), account.get("risk_percentage")
        if is_set(risk) or (is_set(multiplier) and str(multiplier).strip() not in _LESS_OF_ACCOUNT):
            wrong = f"quantity_multiplier {quote_value(multiplier)}, risk_percentage {quote_value(risk)}"
            raise RefusedAlertError(f"{wrong} cannot be honoured", field="multiple_accounts", hint=_RISK)


def _set_order(payload: dict[str, Json]) -> None:
    """Set our order type, and the price of a limit or stop order: with a market order `price` is the chart's."""
    kind = payload.get("order_type")
    if kind is None:
        return
    ours = _ORDER_TYPES.get(kind.strip().lower()) if isinstance(kind, str) else None
    if ours is None:
        raise invalid_value("order_type", kind, "expected MKT, LMT or STP")
    payload["order_type"] = ours
    price_field = PRICE_OF_TYPE.get(ORDER_TYPES[ours])
    if price_field is not None:
        if is_set(payload.get("gtd_in_second")):
            hint = "leave it out, and send an exit to cancel the order"
            raise invalid_value("gtd_in_second", payload["gtd_in_second"], hint)
        drop_unset(payload, ["price"])
        if "price" in payload:
            payload[price_field] = payload.pop("price")


def _apply_reversal(payload: dict[str, Json]) -> None:
    """Make a position of an entry that closes the other side first; without that, it is an order of its quantity."""
    if "quantity" not in payload or "action" not in payload or not is_set(payload.get("reverse_order_close")):
        return
    for name in ("pyramid", "duplicate_position_allow"):
        if is_set(payload.get(name)):
            hint = f"set {name} to false to be long or short by the quantity, or reverse_order_close to false to add it"
            wrong = f"{name} with reverse_order_close cannot be honoured"
            raise RefusedAlertError(wrong, field=name, hint=hint)
    set_position(payload)


DIALECT = Dialect(name="pickmytrade", summary="the alerts of PickMyTrade", read=_read, enters_positions=True)
