"""The words of the actions that cancel and move stops, and what each needs."""

import json
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError


def parse(**fields: Any) -> Alert:
    return parse_alert(json.dumps({"symbol": "MNQ"} | fields).encode())


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("cancel", AlertAction.CANCEL),
        ("CANCEL_ALL", AlertAction.CANCEL),
        ("move_stop", AlertAction.MOVE_STOP),
        ("Modify_Stop", AlertAction.MOVE_STOP),
        (" Breakeven ", AlertAction.BREAKEVEN),
        ("Trail", AlertAction.TRAIL),
        ("TEST", AlertAction.TEST),
    ],
)
def test_every_synonym_of_a_change_is_accepted_in_any_case(word: str, action: AlertAction) -> None:
    alert = parse(action=word, stop_loss_ticks=40, trail_ticks=60, quantity="0", order_type="nonsense")

    assert (action, None, False) == (alert.action, alert.quantity, alert.action.is_entry)


def test_a_change_has_only_the_fields_that_it_uses() -> None:
    move = parse(action="move_stop", stop_loss="21500.25", trail_ticks=-1, id="")

    assert (Decimal("21500.25"), None, None) == (move.stop_loss, move.stop_loss_ticks, move.trail_ticks)
    assert (None, None) == (parse(action="breakeven", stop_loss=0).stop_loss, move.external_id)
    assert 60 == parse(action="trail", trail_ticks="60").trail_ticks


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"action": "move_stop"}, "stop_loss"),
        ({"action": "move_stop", "stop_loss": 0}, "stop_loss"),
        ({"action": "move_stop", "stop_loss": "{{plot_0}}"}, "stop_loss"),
        ({"action": "move_stop", "stop_loss_ticks": -40}, "stop_loss_ticks"),
        ({"action": "move_stop", "stop_loss": 21000, "stop_loss_ticks": 40}, "stop_loss"),
        ({"action": "trail"}, "trail_ticks"),
        ({"action": "trail", "trail_ticks": 0}, "trail_ticks"),
        ({"action": "cancel", "symbol": "XXX"}, "symbol"),
        ({"action": "move_stops"}, "action"),
    ],
    ids=str,
)
def test_a_change_without_what_it_needs_is_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RefusedAlertError) as caught:
        parse(**fields)

    assert field == caught.value.field


@pytest.mark.parametrize("action", ["cancel", "breakeven", "test"])
@pytest.mark.parametrize("position", ["flat", "long"])
def test_the_position_of_a_template_makes_no_exit_of_a_change(action: str, position: str) -> None:
    assert action.upper() == parse(action=action, market_position=position, market_position_size=0).action
