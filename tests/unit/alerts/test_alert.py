"""Valid alerts, and the refusal of every kind of invalid one."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import BODY, RefusedAlertError
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.symbol import Symbol
from shared.errors import InvalidAlertError

BUY = {"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 40}


def alert(**fields: Any) -> Alert:
    return parse_alert(json.dumps(BUY | fields).encode())


def refuse(raw: bytes | str | dict[str, Any]) -> RefusedAlertError:
    body = json.dumps(raw) if isinstance(raw, dict) else raw
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(body.encode() if isinstance(body, str) else body)
    return caught.value


def buy_without(field: str) -> dict[str, Any]:
    return {name: value for name, value in BUY.items() if name != field}


def test_an_alert_is_read_field_by_field() -> None:
    raw = b"""{"action": "Long", "symbol": "CME_MINI:MNQ1!", "quantity": "2", "id": 17, "stop_loss_ticks": 40.0,
               "take_profit": 21500.25, "time": "2026-11-23T14:30:00Z", "comment": {"of": ["mine", 1.10]}}"""

    expected = Alert(
        action=AlertAction.BUY,
        symbol=Symbol("CME_MINI:MNQ1!", ROOTS["MNQ"]),
        quantity=2,
        external_id="17",
        stop_loss_ticks=40,
        take_profit_ticks=None,
        stop_loss=None,
        take_profit=Decimal("21500.25"),
        alert_time="2026-11-23T14:30:00Z",
        extras={"comment": {"of": ["mine", Decimal("1.10")]}},
    )
    assert expected == parse_alert(raw)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("buy", "BUY"),
        ("LONG", "BUY"),
        ("Sell", "SELL"),
        (" short ", "SELL"),
        ("close", "CLOSE"),
        ("flatten", "CLOSE"),
        ("EXIT", "CLOSE"),
    ],
)
def test_every_synonym_of_an_action_is_accepted(text: str, action: str) -> None:
    assert action == alert(action=text).action


@pytest.mark.parametrize(
    ("symbol", "root"),
    [
        ("MNQ", "MNQ"),
        (" mnq ", "MNQ"),
        ("MNQ1!", "MNQ"),
        ("MNQZ6", "MNQ"),
        ("MNQZ2026", "MNQ"),
        ("CME_MINI:MNQZ2026", "MNQ"),
        ("CME_MINI_DL:ES1!", "ES"),
        ("M2K1!", "M2K"),
        ("CME:6E1!", "6E"),
        ("COMEX:MGCM2022", "MGC"),
        ("CON.F.US.ENQ.Z26", "NQ"),
    ],
)
def test_a_symbol_may_be_in_the_notation_of_tradingview_or_of_the_venue(symbol: str, root: str) -> None:
    parsed = alert(symbol=symbol)

    assert (root, symbol) == (parsed.root.name, parsed.symbol.text)


@pytest.mark.parametrize("quantity", [1, 1.0, "1", "1.0", " 1 "])
def test_one_contract_may_be_written_in_several_ways(quantity: object) -> None:
    assert 1 == alert(quantity=quantity).quantity


INVALID_COUNTS = (0, -1, 1.5, 1e9, True, None, 10_000, 10**30, [1], {"n": 1})
INVALID_NUMERALS = ("", "  ", "one", "0", "-1", "+1", "1,0", "1e9", "NaN", "\u0661", "0x1")


@pytest.mark.parametrize("quantity", [*INVALID_COUNTS, *INVALID_NUMERALS])
def test_an_invalid_quantity_is_refused(quantity: object) -> None:
    error = refuse(BUY | {"quantity": quantity})

    assert ("quantity", True) == (error.field, "1 to 9999" in error.hint or "20 digits" in error.hint)


@pytest.mark.parametrize("field", ["action", "symbol", "quantity"])
def test_a_missing_required_field_is_refused(field: str) -> None:
    error = refuse(buy_without(field))

    assert (field, f"{field} is missing") == (error.field, error.wrong)


def test_only_a_close_may_omit_the_quantity() -> None:
    assert parse_alert(b'{"action": "close", "symbol": "MNQ"}').quantity is None


def test_an_alert_without_a_stop_is_valid() -> None:
    assert parse_alert(json.dumps(buy_without("stop_loss_ticks")).encode()).stop_loss_ticks is None


@pytest.mark.parametrize(
    "symbol", ["ABC", "MNQX", "MNQ2!!", "", "M", "x" * 65, "\uff2d\uff2e\uff31", 6, None, "CON.F.US.NOPE.Z26"]
)
def test_an_unknown_symbol_is_refused(symbol: object) -> None:
    error = refuse(BUY | {"symbol": symbol})

    assert ("symbol", True) == (error.field, "MNQ1!" in error.hint)


@pytest.mark.parametrize(
    "field", ["action", "symbol", "quantity", "id", "stop_loss_ticks", "take_profit", "time", "timenow"]
)
@pytest.mark.parametrize("placeholder", ["{{ticker}}", "a-{{plot_0}}", "NaN", " nan "])
def test_an_unfilled_placeholder_is_refused_with_its_field(field: str, placeholder: str) -> None:
    error = refuse(BUY | {field: placeholder})

    assert (field, True) == (error.field, "placeholder" in error.wrong)


def test_an_unfilled_placeholder_without_quotes_is_refused_with_its_field() -> None:
    error = refuse('{"action": "buy", "symbol": "MNQ", "quantity": {{strategy.order.contracts}}}')

    assert ("quantity", True) == (error.field, "{{strategy.order.contracts}}" in error.wrong)


def test_a_placeholder_in_an_unknown_field_is_kept() -> None:
    assert {"comment": "{{plot_0}}"} == alert(comment="{{plot_0}}").extras


@pytest.mark.parametrize("ticks", [0, -40, 1.5, "40 ticks", 10**6, True, None, []])
@pytest.mark.parametrize("field", ["stop_loss_ticks", "take_profit_ticks"])
def test_a_distance_that_is_no_unsigned_whole_number_of_ticks_is_refused(field: str, ticks: object) -> None:
    assert field == refuse(BUY | {field: ticks}).field


@pytest.mark.parametrize("price", [0, -1, "0.00", "1e5", "21,500", 10**9, True, None, {}])
def test_a_price_that_is_not_above_zero_is_refused(price: object) -> None:
    assert "take_profit" == refuse(BUY | {"take_profit": price}).field


def test_a_price_keeps_every_digit() -> None:
    raw = b'{"action": "buy", "symbol": "6J", "quantity": 1, "stop_loss": 0.00660450000000000001}'

    assert Decimal("0.00660450000000000001") == parse_alert(raw).stop_loss


@pytest.mark.parametrize(("price", "ticks"), [("stop_loss", "stop_loss_ticks"), ("take_profit", "take_profit_ticks")])
def test_a_price_and_a_distance_for_the_same_exit_are_refused(price: str, ticks: str) -> None:
    error = refuse(BUY | {price: 21000, ticks: 40})

    assert (price, True) == (error.field, "not both" in error.hint)


@pytest.mark.parametrize("external_id", ["x" * 129, "", " ", 1.5, True, None, ["a"]])
def test_an_id_that_is_no_short_text_or_whole_number_is_refused(external_id: object) -> None:
    assert "id" == refuse(BUY | {"id": external_id}).field


def test_the_time_of_the_alert_is_preferred_to_the_time_of_its_bar() -> None:
    assert "now" == alert(time="bar", timenow="now").alert_time
    assert "1700000000" == alert(time=1_700_000_000).alert_time


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" \n",
        b"buy MNQ",
        b'{"action": "buy"',
        b'{"action": "buy",}',
        b"[1]",
        b'"buy"',
        b"1",
        b"null",
        b"NaN",
        b"\x00",
        b'{"action": "bu\x00y"}',
        b'{"action": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'\xff\xfe{\x00"\x00',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": 01}',
    ],
)
def test_a_body_that_is_no_json_object_is_refused_without_a_field(raw: bytes) -> None:
    error = refuse(raw)

    assert (BODY, True) == (error.field, bool(error.hint))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"quantity": 1, "quantity": 2}', "quantity"),
        ('{"a": 1, "\\u0061": 2}', "a"),
        ('{"mine": {"a": 1, "a": 2}}', "mine"),
        ('{"comment": "a\\u0000b"}', "comment"),
        ('{"comment": "\\ud83d"}', "comment"),
        ('{"comment": ["\\udc00"]}', "comment"),
        ('{"\\ud800": 1}', "\\ud800"),
        (f'{{"comment": {"[" * 9}{"]" * 9}}}', "comment"),
    ],
)
def test_a_value_that_the_database_cannot_store_is_refused_with_its_field(body: str, field: str) -> None:
    assert field == refuse(body).field


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999999999999999999999", "9" * 5000, "0." + "1" * 22])
def test_an_unreadable_number_is_refused_only_by_a_field_that_needs_it(number: str) -> None:
    entry = '"action": "buy", "symbol": "MNQ", "stop_loss_ticks": 40'
    assert "quantity" == refuse(f'{{{entry}, "quantity": {number}}}').field
    assert "limit_price" == refuse(f'{{{entry}, "quantity": 1, "limit_price": {number}}}').field

    assert {"rsi": [number]} == parse_alert(f'{{{entry}, "quantity": 1, "rsi": [{number}]}}'.encode()).extras
    close = parse_alert(
        f'{{"action": "close", "symbol": "MNQ", "take_profit": {number}, "quantity": {number}}}'.encode()
    )
    assert (AlertAction.CLOSE, None) == (close.action, close.quantity)


def test_characters_beyond_the_basic_plane_are_kept() -> None:
    assert {"comment": "\U0001f680"} == alert(comment="\U0001f680").extras


def test_an_error_message_never_quotes_a_long_value() -> None:
    assert 300 > len(str(refuse(BUY | {"symbol": "x" * 10_000})))


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(["{{ticker}}", "NaN", "1e9", "\x00", "\ud800", "1", "MNQ", "buy", "close"]),
)
_NAMES = st.sampled_from([*BUY, "id", "time", "timenow", "stop_loss", "take_profit", "comment"])
_PAYLOADS = st.dictionaries(_NAMES | st.text(), _VALUES | st.lists(_VALUES, max_size=3), max_size=8)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b'{"\xed\xa0\x80": 1}')
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    _require_alert_or_refusal(raw)


@given(st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in BUY.items()}), _PAYLOADS)
def test_any_json_is_parsed_or_refused(start: dict[str, Any], more: dict[str, Any]) -> None:
    _require_alert_or_refusal(json.dumps(start | more).encode())


@given(st.recursive(_VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30))
def test_any_nesting_is_parsed_or_refused(extra: object) -> None:
    _require_alert_or_refusal(json.dumps(BUY | {"extra": extra}).encode())


def _require_alert_or_refusal(raw: bytes) -> None:
    try:
        parsed = parse_alert(raw)
    except InvalidAlertError as error:
        # The message can be stored and sent, whatever the input was.
        written = f"{error.field} {error}"
        assert "\x00" not in written
        assert written.encode()
        return
    assert parsed.root in ROOTS.values()
    assert parsed.quantity is not None or not parsed.action.is_entry
    assert parsed.quantity is None or parsed.quantity > 0
