"""What an alert may say, and how each way of saying it wrong is refused."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.alerts.alert import Alert, AlertAction, parse_alert
from shared.domain.alerts.payload import BODY, RefusedAlertError
from shared.domain.market_data.contract import ROOTS
from shared.errors import InvalidAlertError

BUY = {"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 40}


def alert(**fields: Any) -> Alert:
    return parse_alert(json.dumps(BUY | fields).encode())


def refusal(raw: bytes | str | dict[str, Any]) -> RefusedAlertError:
    body = json.dumps(raw) if isinstance(raw, dict) else raw
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(body.encode() if isinstance(body, str) else body)
    return caught.value


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in BUY.items() if name != field}


def test_an_alert_is_read_field_by_field() -> None:
    raw = b"""{"action": "Long", "symbol": "CME_MINI:MNQ1!", "quantity": "2", "id": 17, "stop_loss_ticks": 40.0,
               "take_profit": 21500.25, "time": "2026-11-23T14:30:00Z", "comment": {"of": ["mine", 1.10]}}"""

    expected = Alert(
        action=AlertAction.BUY,
        root=ROOTS["MNQ"],
        symbol="CME_MINI:MNQ1!",
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
    ("word", "action"),
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
def test_an_action_has_several_words(word: str, action: str) -> None:
    assert action == alert(action=word).action


@pytest.mark.parametrize(
    ("symbol", "root"),
    [
        ("MNQ", "MNQ"),
        (" mnq ", "MNQ"),
        ("MNQ1!", "MNQ"),
        ("MNQ2!", "MNQ"),
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
def test_a_symbol_may_be_written_as_tradingview_or_the_venue_do(symbol: str, root: str) -> None:
    understood = alert(symbol=symbol)

    assert (root, symbol) == (understood.root.name, understood.symbol)


@pytest.mark.parametrize("quantity", [1, 1.0, "1", "1.0", " 1 "])
def test_one_contract_may_be_written_in_several_ways(quantity: object) -> None:
    assert 1 == alert(quantity=quantity).quantity


NO_COUNTS = (0, -1, 1.5, 1e9, True, None, 10_000, 10**30, [1], {"n": 1})
NO_NUMERALS = ("", "  ", "one", "0", "-1", "+1", "1,0", "1e9", "NaN", "\u0661", "0x1")


@pytest.mark.parametrize("quantity", [*NO_COUNTS, *NO_NUMERALS])
def test_a_quantity_that_is_no_whole_number_of_contracts_is_refused(quantity: object) -> None:
    error = refusal(BUY | {"quantity": quantity})

    assert ("quantity", True) == (error.field, "1 to 9999" in error.hint or "20 digits" in error.hint)


@pytest.mark.parametrize("field", ["action", "symbol", "quantity"])
def test_nothing_that_matters_is_ever_filled_in(field: str) -> None:
    error = refusal(without(field))

    assert (field, f"{field} is missing") == (error.field, error.wrong)


def test_only_a_close_may_leave_the_quantity_out() -> None:
    assert parse_alert(b'{"action": "close", "symbol": "MNQ"}').quantity is None


def test_a_missing_stop_is_no_fault_of_the_alert() -> None:
    assert parse_alert(json.dumps(without("stop_loss_ticks")).encode()).stop_loss_ticks is None


@pytest.mark.parametrize(
    "symbol", ["ABC", "MNQX", "MNQ2!!", "", "M", "x" * 65, "\uff2d\uff2e\uff31", 6, None, "CON.F.US.NOPE.Z26"]
)
def test_an_unknown_symbol_is_refused(symbol: object) -> None:
    error = refusal(BUY | {"symbol": symbol})

    assert ("symbol", True) == (error.field, "MNQ1!" in error.hint)


@pytest.mark.parametrize(
    "field", ["action", "symbol", "quantity", "id", "stop_loss_ticks", "take_profit", "time", "timenow"]
)
@pytest.mark.parametrize("placeholder", ["{{ticker}}", "a-{{plot_0}}", "NaN", " nan "])
def test_an_unfilled_placeholder_is_refused_by_its_field(field: str, placeholder: str) -> None:
    error = refusal(BUY | {field: placeholder})

    assert (field, True) == (error.field, "placeholder" in error.wrong)


def test_an_unfilled_placeholder_without_quotes_is_refused_by_its_field() -> None:
    error = refusal('{"action": "buy", "symbol": "MNQ", "quantity": {{strategy.order.contracts}}}')

    assert ("quantity", True) == (error.field, "{{strategy.order.contracts}}" in error.wrong)


def test_a_placeholder_in_a_field_we_do_not_know_is_kept() -> None:
    assert {"comment": "{{plot_0}}"} == alert(comment="{{plot_0}}").extras


@pytest.mark.parametrize("ticks", [0, -40, 1.5, "40 ticks", 10**6, True, None, []])
@pytest.mark.parametrize("field", ["stop_loss_ticks", "take_profit_ticks"])
def test_a_distance_is_a_whole_number_of_ticks_without_a_sign(field: str, ticks: object) -> None:
    assert field == refusal(BUY | {field: ticks}).field


@pytest.mark.parametrize("price", [0, -1, "0.00", "1e5", "21,500", 10**9, True, None, {}])
def test_a_price_is_above_zero(price: object) -> None:
    assert "take_profit" == refusal(BUY | {"take_profit": price}).field


def test_a_price_keeps_every_digit() -> None:
    raw = b'{"action": "buy", "symbol": "6J", "quantity": 1, "stop_loss": 0.00660450000000000001}'

    assert Decimal("0.00660450000000000001") == parse_alert(raw).stop_loss


@pytest.mark.parametrize(("price", "ticks"), [("stop_loss", "stop_loss_ticks"), ("take_profit", "take_profit_ticks")])
def test_a_price_and_a_distance_for_the_same_exit_contradict_each_other(price: str, ticks: str) -> None:
    error = refusal(BUY | {price: 21000, ticks: 40})

    assert (price, True) == (error.field, "not both" in error.hint)


@pytest.mark.parametrize("external_id", ["x" * 129, "", " ", 1.5, True, None, ["a"]])
def test_an_id_is_a_short_text_or_a_whole_number(external_id: object) -> None:
    assert "id" == refusal(BUY | {"id": external_id}).field


def test_two_alerts_ask_the_same_whatever_their_times_and_remarks() -> None:
    assert alert(id="a", timenow="10:00").asks_the_same(alert(id="a", time="10:01", comment="again"))
    assert not alert(id="a").asks_the_same(alert(id="a", quantity=2))
    assert not alert(id="a").asks_the_same(alert(id="a", take_profit_ticks=80))


def test_the_time_of_the_alert_goes_before_the_time_of_its_bar() -> None:
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
def test_a_body_that_is_no_json_object_is_refused_as_a_whole(raw: bytes) -> None:
    error = refusal(raw)

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
        ('{"quantity": NaN}', "quantity"),
        ('{"comment": [Infinity]}', "comment"),
        ('{"comment": -Infinity}', "comment"),
        ('{"comment": 1e999999999999999999999}', "comment"),
        (f'{{"quantity": {"9" * 5000}}}', "quantity"),
        (f'{{"stop_loss": 0.{"1" * 5000}}}', "stop_loss"),
        (f'{{"comment": {"[" * 9}{"]" * 9}}}', "comment"),
    ],
)
def test_what_could_not_be_kept_as_it_was_sent_is_refused_by_its_field(body: str, field: str) -> None:
    assert field == refusal(body).field


def test_whole_characters_beyond_the_first_plane_are_kept() -> None:
    assert {"comment": "\U0001f680"} == alert(comment="\U0001f680").extras


def test_a_refusal_never_repeats_a_long_value() -> None:
    assert 300 > len(str(refusal(BUY | {"symbol": "x" * 10_000})))


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
def test_any_bytes_are_an_alert_or_refused(raw: bytes) -> None:
    _judge(raw)


@given(st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in BUY.items()}), _PAYLOADS)
def test_any_json_is_an_alert_or_refused(start: dict[str, Any], more: dict[str, Any]) -> None:
    _judge(json.dumps(start | more).encode())


@given(st.recursive(_VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30))
def test_any_nesting_is_an_alert_or_refused(extra: object) -> None:
    _judge(json.dumps(BUY | {"extra": extra}).encode())


def _judge(raw: bytes) -> None:
    try:
        understood = parse_alert(raw)
    except InvalidAlertError as error:
        # Whatever was sent, the refusal itself can be stored and sent.
        written = f"{error.field} {error}"
        assert "\x00" not in written
        assert written.encode()
        return
    assert understood.root in ROOTS.values()
    assert understood.quantity is not None or not understood.action.is_entry
    assert understood.quantity is None or understood.quantity > 0
