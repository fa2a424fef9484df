"""An exit with a quantity keeps it or is refused: in no dialect does a part become a close of all."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.alerts.alert import AlertAction
from shared.domain.alerts.dialects import (
    DIALECTS,
    origin_discord,
    origin_flat,
    origin_railway,
    pickmytrade,
    text,
    traderspost,
    tradingview,
)
from shared.domain.alerts.dialects.action_words import EXITS
from shared.domain.alerts.field_names import FIELDS
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError
from tests.unit.alerts.dialects.test_dialects import attempt

FIELDS_OF: dict[str, Mapping[str, str]] = {
    "tickwork": {name: name for name in FIELDS},
    **{
        module.DIALECT.name: module.WORDS.fields
        for module in (origin_flat, origin_railway, pickmytrade, text, traderspost, tradingview)
    },
}
NAMES_OF_QUANTITY = ("quantity", "qty", "contracts", "Quantity")

_values = st.sampled_from([
    "flat", "long", "short", "bullish", "bearish", "NaN", "", 0, 1, 2, "3.0", 21480.25, True, "{{close}}",
    "closeposition", "flatten", "stop", "trailing_stop", "market", "percent_of_position", "fixed_quantity",
])  # fmt: skip


def name_of(dialect: str, ours: str) -> str:
    return next((name for name, each in FIELDS_OF[dialect].items() if each == ours), ours)


def encode(dialect: str, fields: Mapping[str, object]) -> bytes:
    """Return a message of a dialect with these fields."""
    if dialect == "text":
        return ";".join(f"{name}={value}" for name, value in fields.items()).encode()
    return json.dumps(fields).encode()


def is_flat(fields: Mapping[str, object]) -> bool:
    """Whether a message says flat: a side of that name, or no side with the size 0."""
    sides = [fields.get(name) for name in ("market_position", "sentiment", "position") if name in fields]
    if fields.get("market_position_size") == 0 and set(sides) <= {""}:
        return True
    return any(fields.get(name) == "flat" for name in ("market_position", "sentiment", "position"))


def test_no_dialect_is_missing_from_these_tests() -> None:
    assert set(DIALECTS) == {*FIELDS_OF, origin_discord.DIALECT.name}


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@given(data=st.data())
def test_an_exit_with_a_quantity_keeps_it_or_is_refused(dialect: str, data: st.DataObject) -> None:
    fields = FIELDS_OF[dialect]
    others = [name for name, ours in fields.items() if ours not in {"action", "symbol"}]
    word = data.draw(st.sampled_from([*EXITS, "buy", "sell"]))
    body = data.draw(st.dictionaries(st.sampled_from(others), _values, max_size=4))
    sized = data.draw(
        st.sampled_from(sorted({*NAMES_OF_QUANTITY, *(name for name, ours in fields.items() if ours == "quantity")}))
    )
    quantity = data.draw(st.integers(1, 9))
    body |= {sized: data.draw(st.sampled_from([quantity, str(quantity), f"{quantity}.0"]))}
    body |= {name_of(dialect, "action"): word, name_of(dialect, "symbol"): "MNQ1!"}
    alert = attempt(encode(dialect, body), dialect)

    if alert is None or alert.action is not AlertAction.CLOSE or is_flat(body) or alert.target_position is not None:
        return
    is_documented_as_all = dialect == "pickmytrade" and word == "close"  # by PickMyTrade, of which each has a quantity
    is_read = sized == "quantity" or sized in fields  # another name counts only beside one that is read
    assert is_documented_as_all or (quantity == alert.quantity if is_read else alert.quantity is not None)


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
def test_an_exit_with_the_quantity_of_its_dialect_is_a_part(dialect: str) -> None:
    fields = {name_of(dialect, "action"): "exit_long", name_of(dialect, "symbol"): "MNQ1!"}
    alert = parse_alert(encode(dialect, fields | {name_of(dialect, "quantity"): 2}), dialect)

    assert (AlertAction.CLOSE, 2) == (alert.action, alert.quantity)


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize(("action", "position"), [("sell", "long"), ("buy", "short")])
def test_a_part_of_a_position_that_stays_keeps_its_quantity(dialect: str, action: str, position: str) -> None:
    fields = {name_of(dialect, name): value for name, value in (("action", action), ("symbol", "MNQ1!"))}
    said = {name_of(dialect, "market_position"): position, name_of(dialect, "quantity"): 2}
    alert = parse_alert(encode(dialect, fields | said), dialect)

    assert (AlertAction.CLOSE, 2) == (alert.action, alert.quantity)


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize("part", ["50%", "0.5", "1.5", "1/2", ".5", "12.5 %", "1,000.5", 0.5, 1.25])
def test_an_exit_of_a_part_that_is_no_number_of_contracts_is_refused(dialect: str, part: object) -> None:
    fields = {name_of(dialect, "action"): "exit_long", name_of(dialect, "symbol"): "MNQ1!"}
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(encode(dialect, fields | {name_of(dialect, "quantity"): part}), dialect)

    assert "quantity" == caught.value.field
    assert "whole number of contracts" in f"{caught.value.hint}"


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize(
    "quantity", ["0", "-1", "NaN", "100%", "100.0 %", "all", "{{strategy.order.contracts}}", "0.0"]
)
def test_an_exit_with_a_quantity_that_says_no_part_closes_all(dialect: str, quantity: str) -> None:
    fields = {name_of(dialect, "action"): "exit_long", name_of(dialect, "symbol"): "MNQ1!"}
    alert = parse_alert(encode(dialect, fields | {name_of(dialect, "quantity"): quantity}), dialect)

    assert (AlertAction.CLOSE, None) == (alert.action, alert.quantity)


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize("name", ["percent", "closePercent", "qty_percent", "percentage"])
def test_an_exit_of_a_percentage_is_refused_unless_it_is_all_or_has_a_quantity(dialect: str, name: str) -> None:
    fields = {name_of(dialect, "action"): "exit_long", name_of(dialect, "symbol"): "MNQ1!"}
    for percent in (50, "50%", "0.5", 1):
        with pytest.raises(RefusedAlertError):
            parse_alert(encode(dialect, fields | {name: percent}), dialect)
        part = parse_alert(encode(dialect, fields | {name: percent, name_of(dialect, "quantity"): 2}), dialect)
        assert 2 == part.quantity

    assert parse_alert(encode(dialect, fields | {name: 100}), dialect).quantity is None


@pytest.mark.parametrize("name", ["size", "Size", "contracts", "QTY"])
def test_a_part_under_a_name_that_is_not_read_is_refused(name: str) -> None:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(encode("tickwork", {"action": "close", "symbol": "MNQ", name: 1}))

    assert name == caught.value.field


@pytest.mark.parametrize("words", [words for words, action in origin_discord.EXITS_BY_TITLE.items() if action])
@pytest.mark.parametrize("name", ["Quantity", "Qty", "contracts", "Size"])
def test_an_embed_of_an_exit_with_a_quantity_is_refused(words: str, name: str) -> None:
    message = {"embeds": [{"title": f"[MNQ1!] {words} long", "fields": [{"name": name, "value": "1"}]}]}
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(json.dumps(message).encode(), "origin-discord")

    assert name == caught.value.field


@pytest.mark.parametrize("part", [words for words, action in origin_discord.EXITS_BY_TITLE.items() if action is None])
@pytest.mark.parametrize("words", ["close", "exit", "target 2", "flatten"])
def test_a_title_with_a_part_is_refused_whatever_exit_is_in_it(part: str, words: str) -> None:
    for title in (f"{part} hit, {words} long", f"{words} long, {part}"):
        message = {"embeds": [{"title": f"[MNQ1!] {title}"}]}
        with pytest.raises(RefusedAlertError):
            parse_alert(json.dumps(message).encode(), "origin-discord")


def test_two_different_quantities_are_refused_with_both_names() -> None:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(b'{"action": "close", "ticker": "MNQ1!", "contracts": 1, "qty": 2}', "tradingview")

    assert "contracts 1 contradicts qty 2" == caught.value.wrong


@pytest.mark.parametrize(
    ("times", "sent_at"),
    [
        ({"time": "2026-11-23T14:30:04Z"}, "2026-11-23T14:30:04+00:00"),
        ({"time": 1764000000}, "2025-11-24T16:00:00+00:00"),
        ({"time": "2026-11-23T14:25:00Z", "timenow": "2026-11-23T14:30:04Z"}, "2026-11-23T14:30:04+00:00"),
        ({"time": "just now"}, None),
        ({}, None),
    ],
    ids=str,
)
@pytest.mark.parametrize("action", ["buy", "exit"])
def test_the_time_of_a_signal_of_traderspost_is_when_it_was_sent(
    times: dict[str, object], sent_at: str | None, action: str
) -> None:
    fields = {"ticker": "MNQ1!", "action": action, "quantity": 1}
    alert = parse_alert(json.dumps(fields | times).encode(), "traderspost")

    assert sent_at == (None if alert.sent_at is None else alert.sent_at.isoformat())
