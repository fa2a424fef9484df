"""An exit whose part is under a name or in a form that is not read is refused: it would close all."""

import json
from collections.abc import Mapping

import pytest

from shared.domain.alerts.alert import AlertAction
from shared.domain.alerts.dialects import DIALECTS
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError
from tests.unit.alerts.dialects.test_exit_quantities import FIELDS_OF, encode, name_of

OF_JSON = sorted(set(FIELDS_OF) - {"text"})
NAMES = (
    "quantiy", "quanity", "qantity", "Quantitys", "contract", "contracs", "lots", "lot", "units", "my_contracts",
    "exit_qty", "exitSize", "closeQuantity", "close_quantiy", "tp1_qty", "orderLots", "quantity2",
)  # fmt: skip
OF_SOMETHING_ELSE = (
    "tick_size", "prev_market_position_size", "max_contracts", "maximum_quantity", "account_size", "side", "slots",
    "quality", "time", "price", "volume", "interval", "plot_0", "trail_percent", "quantity_type",
)  # fmt: skip


def exit_with(dialect: str, more: Mapping[str, object]) -> bytes:
    fields: dict[str, object] = {name_of(dialect, "action"): "exit", name_of(dialect, "symbol"): "MNQ1!"}
    return encode(dialect, fields | dict(more))


def refuse(dialect: str, more: Mapping[str, object]) -> RefusedAlertError:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(exit_with(dialect, more), dialect)
    return caught.value


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize("name", NAMES)
def test_an_exit_with_a_quantity_under_a_misspelt_or_unknown_name_is_refused(dialect: str, name: str) -> None:
    for value in (1, "2", "1.5", "0,5", "1 lot"):
        error = refuse(dialect, {name: value})

        assert (name.lower(), True) == (error.field.lower(), "quantity to close a part" in error.hint)


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize("name", [*NAMES, *OF_SOMETHING_ELSE])
def test_a_name_that_says_no_part_stops_no_exit(dialect: str, name: str) -> None:
    values: tuple[object, ...] = (
        0,
        "0",
        "",
        "all",
        "NaN",
        "6EZ6",
        -1,
        True,
        *([7] if name in OF_SOMETHING_ELSE else []),
    )
    for value in values:
        alert = parse_alert(exit_with(dialect, {name: value}), dialect)

        assert (AlertAction.CLOSE, None) == (alert.action, alert.quantity)


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize("name", NAMES)
def test_a_quantity_that_is_read_counts_whatever_else_is_said(dialect: str, name: str) -> None:
    assert 2 == parse_alert(exit_with(dialect, {name: 1, name_of(dialect, "quantity"): 2}), dialect).quantity


@pytest.mark.parametrize("dialect", OF_JSON)
@pytest.mark.parametrize(
    "nested", [{"exit": {"qty": 1}}, {"data1": {"order": {"contracts": "2"}}}, {"legs": [{"size": 1}]}]
)
def test_an_exit_with_a_quantity_in_an_object_is_refused(dialect: str, nested: Mapping[str, object]) -> None:
    assert "quantity to close a part" in refuse(dialect, nested).hint


@pytest.mark.parametrize("dialect", OF_JSON)
def test_an_object_without_a_part_stops_no_exit(dialect: str) -> None:
    more = {"bar": {"size": 5, "close": 21500}, "stop": {"percent": 5}, "extras": {"note": "1 contract"}, "of": [1, 2]}

    assert parse_alert(exit_with(dialect, more), dialect).quantity is None


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize(
    "part", ["0,5", "1,5", "0,500", "1,25", "1.000,5", "12,5 %", "half", "1 contract", "2 of 3", "2x"]
)
def test_an_exit_with_a_part_in_another_form_is_refused(dialect: str, part: str) -> None:
    assert "quantity" == refuse(dialect, {name_of(dialect, "quantity"): part}).field


@pytest.mark.parametrize("dialect", OF_JSON)
@pytest.mark.parametrize("part", [[1], {"value": 1}, {"contracts": "2"}])
def test_an_exit_with_an_object_or_a_list_as_its_quantity_is_refused(dialect: str, part: object) -> None:
    assert "quantity" == refuse(dialect, {name_of(dialect, "quantity"): part}).field


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize("quantity", ["0,0", "100 percent", "1,000", "1e9", "ALL", "{{plot_0}}"])
def test_an_exit_with_a_text_that_says_no_part_closes_all_or_a_thousand(dialect: str, quantity: str) -> None:
    alert = parse_alert(exit_with(dialect, {name_of(dialect, "quantity"): quantity}), dialect)

    assert AlertAction.CLOSE is alert.action
    assert alert.quantity in {None, 1000}


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize("name", ["exit_percent", "closePct", "position_percentage", "order_pct"])
def test_an_exit_of_a_percentage_under_another_name_is_refused(dialect: str, name: str) -> None:
    assert "leave percent out" in refuse(dialect, {name: 50}).hint
    assert parse_alert(exit_with(dialect, {name: 100}), dialect).quantity is None


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize(
    ("name", "size"), [("market_position_size", 1), ("market_position_size", "2"), ("position_size", "-1")]
)
def test_an_exit_with_the_size_of_a_rest_but_no_side_is_refused(dialect: str, name: str, size: object) -> None:
    error = refuse(dialect, {name: size})

    assert (name, True) == (error.field, "market_position with market_position_size" in error.hint)
    assert parse_alert(exit_with(dialect, {name: 0}), dialect).quantity is None


@pytest.mark.parametrize("dialect", sorted(FIELDS_OF))
@pytest.mark.parametrize("quantity", ["0,500", "0,5", "1,50"])
def test_an_entry_with_a_decimal_comma_is_refused(dialect: str, quantity: str) -> None:
    fields = {name_of(dialect, "action"): "buy", name_of(dialect, "symbol"): "MNQ1!"}
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(encode(dialect, fields | {name_of(dialect, "quantity"): quantity}), dialect)

    assert "quantity" == caught.value.field


@pytest.mark.parametrize(
    "order", [{"quantity": 1}, {"qty": 1}, {"size": "1"}, {"contracts": 1.0}, {"qty": 1, "contracts": 1}], ids=str
)
def test_the_quantity_of_an_order_is_read_where_its_action_is(order: dict[str, object]) -> None:
    for body in ({"order": {"action": "close"} | order}, {"strategy": {"order": {"action": "close"} | order}}):
        assert 1 == parse_alert(json.dumps({"ticker": "MNQ1!"} | body).encode(), "tradingview").quantity


def test_no_dialect_with_quantities_is_missing_from_these_tests() -> None:
    assert {"origin-discord"} == set(DIALECTS) - set(FIELDS_OF)
