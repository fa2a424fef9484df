"""The rules of every dialect: no error but a refusal, no side but the one that is said, and exits that stay exits."""

import json
from itertools import product
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.dialects import DIALECTS, read_payload_in
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import BODY, RefusedAlertError
from shared.domain.orders.order import Direction
from tests.unit.alerts.dialects.meaning import HELD, position_after
from tests.unit.alerts.dialects.test_messages import ROWS

NAMES = sorted(DIALECTS)
BODIES = sorted({body for _, body, *_ in ROWS})
BUYS = ("buy", "BUY", "long", " Long ")
SELLS = ("sell", "SELL", "short", "Short")
SIDED_EXITS = {"close_long": 1, "exit_long": 1, "close_short": -1, "exit_short": -1}
EXITS = ("close", "exit", "flatten", "CLOSE")

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=12),
    st.sampled_from([*BUYS, *SELLS, *SIDED_EXITS, *EXITS, "MNQ1!", "flat", "NaN", "{{close}}", "0", "-1", "1,000.50"]),
)  # fmt: skip
_names = st.one_of(
    st.text(max_size=12),
    st.sampled_from([
        "action", "data", "side", "symbol", "ticker", "quantity", "contracts", "stopLoss", "takeProfit", "sentiment",
        "strategy", "order", "position_size", "market_position", "market_position_size", "exchange", "orderType",
        "quantityType", "trailAmount", "multiple_accounts", "update_sl", "reverse_order_close", "embeds", "tp", "sl",
    ]),
)  # fmt: skip
_objects = st.recursive(
    st.dictionaries(_names, _scalars, max_size=5),
    lambda inner: st.dictionaries(_names, st.one_of(_scalars, inner, st.lists(inner, max_size=2)), max_size=6),
    max_leaves=12,
)


def attempt(raw: bytes, dialect: str) -> Alert | None:
    """Return the alert in a body, None for a refusal; any other error is a failure of the test."""
    try:
        return parse_alert(raw, dialect)
    except RefusedAlertError:
        return None


@pytest.mark.parametrize("dialect", NAMES)
@given(raw=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode(errors="replace"))))
def test_arbitrary_bytes_are_refused(dialect: str, raw: bytes) -> None:
    attempt(raw, dialect)


@pytest.mark.parametrize("dialect", NAMES)
@given(body=_objects)
def test_arbitrary_objects_are_alerts_or_refused(dialect: str, body: object) -> None:
    attempt(json.dumps(body).encode(), dialect)


@pytest.mark.parametrize("dialect", NAMES)
@given(body=st.sampled_from(BODIES), at=st.integers(0, 400), piece=st.binary(max_size=3))
def test_a_damaged_message_is_an_alert_or_refused(dialect: str, body: str, at: int, piece: bytes) -> None:
    raw = body.encode()
    attempt(raw[:at] + piece + raw[at + len(piece) :], dialect)


NONSENSE: tuple[object, ...] = (
    [], {}, None, True, "", "NaN", "x" * 5000, "\ud83d\ude00", -1, 0.1, [{"a": [{}]}], {"stopPrice": {}}, 10**30,
)  # fmt: skip


@pytest.mark.parametrize("dialect", NAMES)
def test_a_message_with_one_field_replaced_by_nonsense_is_refused_or_on_the_same_side(dialect: str) -> None:
    for body in [body for of, body, *_ in ROWS if of == dialect][::3]:
        try:
            fields = json.loads(body)
        except ValueError:
            continue
        before = attempt(body.encode(), dialect)
        for name, nonsense in product(fields if isinstance(fields, dict) else (), NONSENSE):
            alert = attempt(json.dumps(fields | {name: nonsense}).encode(), dialect)
            if alert is not None and before is not None and alert.action.is_entry and before.action.is_entry:
                assert before.action is alert.action


def messages(dialect: str, action: str, **more: object) -> list[bytes]:
    """Return messages of one action and one contract in a dialect, with further fields of ours."""
    if dialect == "origin-discord":
        return [json.dumps({"embeds": [{"title": f"[MNQ1!] {action}"}]}).encode()]
    if dialect == "text":
        fields = {"action": action, "symbol": "MNQ1!", "quantity": 1} | more
        return [";".join(f"{name}={value}" for name, value in fields.items()).encode(), urlencode(fields).encode()]
    named = {"traderspost": "ticker", "origin-railway": "ticker", "tradingview": "ticker"}.get(dialect, "symbol")
    said = {"pickmytrade": "data"}.get(dialect, "action")
    sized = {"origin-railway": "contracts", "tradingview": "contracts"}.get(dialect, "quantity")
    return [json.dumps({said: action, named: "MNQ1!", sized: 1} | more).encode()]


@pytest.mark.parametrize(("dialect", "word"), [*product(sorted({*NAMES} - {"origin-discord"}), BUYS + SELLS)])
def test_an_entry_is_on_the_side_that_its_word_says(dialect: str, word: str) -> None:
    side = 1 if word in BUYS else -1
    for raw in messages(dialect, word):
        alert = parse_alert(raw, dialect)

        assert (AlertAction.BUY if side > 0 else AlertAction.SELL) is alert.action
        assert side == position_after(alert, 0)


@pytest.mark.parametrize("dialect", NAMES)
@given(body=_objects, word=st.sampled_from(BUYS + SELLS), sentiment=st.sampled_from(["long", "short", "flat", None]))
def test_an_accepted_message_never_trades_another_side_than_its_words_say(
    dialect: str, body: dict[str, object], word: str, sentiment: str | None
) -> None:
    said = {"action": word, "data": word, "symbol": "MNQ1!", "ticker": "MNQ1!", "quantity": 1, "contracts": 1}
    position = {"market_position": sentiment, "sentiment": sentiment} if sentiment else {}
    alert = attempt(json.dumps(body | said | position).encode(), dialect)

    if alert is not None and alert.action.is_entry:
        side = 1 if word in BUYS else -1
        assert side == (1 if alert.action is AlertAction.BUY else -1)
        assert alert.target_position is None or alert.target_position * side > 0
        assert sentiment in {None, "long" if side > 0 else "short"}


@pytest.mark.parametrize(("dialect", "word"), [*product(NAMES, [*EXITS, *SIDED_EXITS])])
def test_an_exit_stays_an_exit_whatever_else_is_in_it(dialect: str, word: str) -> None:
    clutter: list[dict[str, object]] = [
        {}, {"stop_loss": "NaN"}, {"take_profit": -1, "stop_loss_ticks": 0}, {"order_type": "moon"}, {"id": "Long"},
        {"timenow": "{{timenow}}"}, {"limit_price": "{{close}}"}, {"stop_los": 1}, {"trail_percent": 5},
        {"market_position": "{{strategy.market_position}}"},
    ]  # fmt: skip
    for more in clutter:
        for raw in messages(dialect, word, **more):
            alert = parse_alert(raw, dialect)

            assert AlertAction.CLOSE is alert.action
            for held in HELD:
                is_meant = SIDED_EXITS.get(word, held) * held >= 0
                assert (position_after(alert, held) == held) is (held == 0 or not is_meant)
                assert abs(position_after(alert, held)) <= abs(held)


@pytest.mark.parametrize("dialect", sorted(set(NAMES) - {"origin-discord", "tickwork"}))
def test_a_field_that_is_one_letter_off_is_refused_in_an_entry(dialect: str) -> None:
    for raw in messages(dialect, "buy", stop_loss_tick=40):
        with pytest.raises(RefusedAlertError) as caught:
            parse_alert(raw, dialect)

        assert "did you mean" in caught.value.hint


@pytest.mark.parametrize("dialect", sorted(set(NAMES) - {"origin-discord", "tickwork"}))
def test_our_own_fields_are_read_whatever_their_case_and_signs(dialect: str) -> None:
    for raw in messages(dialect, "buy", takeProfitTicks=80, prevMarketPosition="long", **{"Trail-Ticks": 20}):
        alert = parse_alert(raw, dialect)

        assert (80, Direction.LONG, 20) == (alert.take_profit_ticks, alert.prev_direction, alert.trail_ticks)


SPELLINGS = (
    "stopLossTicks",
    "stop-loss-ticks",
    "STOP_LOSS_TICKS",
    "stop loss ticks",
    "takeProfitTicks",
    "take-profit-ticks",
)


@pytest.mark.parametrize("dialect", sorted(set(NAMES) - {"origin-discord"}))
@pytest.mark.parametrize("name", SPELLINGS)
def test_a_stop_or_target_of_an_entry_is_read_or_refused_however_it_is_spelt(dialect: str, name: str) -> None:
    for raw in messages(dialect, "buy", **{name: 40}):
        alert = attempt(raw, dialect)

        assert alert is None or 40 in {alert.stop_loss_ticks, alert.take_profit_ticks}


@pytest.mark.parametrize("name", [*SPELLINGS, "sl", "tp", "stopLoss", "takeProfit"])
def test_a_stop_or_target_in_the_order_of_a_strategy_is_read(name: str) -> None:
    for order in ({"order": {name: 40}}, {"strategy": {"order": {name: 40}}}, {f"order_{name}": 40}):
        alert = parse_alert(messages("tradingview", "buy", **order)[0], "tradingview")

        assert 40 in {alert.stop_loss_ticks, alert.take_profit_ticks, alert.stop_loss, alert.take_profit}


def test_a_misspelt_stop_or_a_percentage_in_the_order_of_a_strategy_is_refused() -> None:
    for name in ("stop_los", "sl_percent", "stop_loss_tick"):
        with pytest.raises(RefusedAlertError):
            parse_alert(messages("tradingview", "buy", order={name: 40})[0], "tradingview")


def test_an_unknown_dialect_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(RefusedAlertError) as caught:
        read_payload_in("metatrader", b"{}")

    assert (BODY, True) == (caught.value.field, all(name in caught.value.hint for name in NAMES))


@pytest.mark.parametrize(
    ("body", "field", "hint"),
    [
        (
            b'{"ticker": "MNQ1!", "action": "buy", "quantity": 1}',
            "symbol",
            "send symbol, such as MNQ, or give the hook",
        ),
        (b"order buy @ 1 filled on MNQ1!. New strategy position is 1", BODY, "expected one JSON object"),
    ],
    ids=["JSON", "text"],
)
def test_our_dialect_names_the_one_that_reads_a_body_of_tradingview(body: bytes, field: str, hint: str) -> None:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(body)

    assert (field, True) == (caught.value.field, caught.value.hint.startswith(hint))
    assert caught.value.hint.endswith("give the hook the dialect tradingview, which reads this body")
    assert "MNQ" == parse_alert(body, "tradingview").root.name


def test_our_dialect_names_no_other_for_a_body_that_none_reads() -> None:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(b'{"action": "buy", "quantity": 1}')

    assert ("symbol", False) == (caught.value.field, "dialect" in caught.value.hint)
