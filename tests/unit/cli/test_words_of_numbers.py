"""Numbers in messages: one has a singular, none of something held is no +0, an empty list names what was asked."""

from decimal import Decimal

import pytest

from cli.client.hook_options import describe_settings
from cli.console.output import describe_none
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.domain.counting import count_of
from shared.domain.orders.position import show_position


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 orders"), (1, "1 order"), (2, "2 orders"), (2_000, "2,000 orders")]
)
def test_a_noun_follows_its_number(number: int, shown: str) -> None:
    assert shown == count_of(number, "order")


def test_a_plural_of_its_own_is_given() -> None:
    assert ["1 entry", "2 entries"] == [count_of(number, "entry", "entries") for number in (1, 2)]


@pytest.mark.parametrize(("quantity", "shown"), [(2, "+2"), (-1, "-1"), (0, "nothing")])
def test_a_position_is_signed_or_nothing(quantity: int, shown: str) -> None:
    assert shown == show_position(quantity)


def test_the_settings_of_a_hook_speak_of_one_contract_tick_and_alert() -> None:
    one = HookSettings(size=SizeMode.FIXED, size_value=Decimal(1), default_stop_ticks=1, max_per_second=1)

    shown = describe_settings(one)

    assert ("1 contract", "1 tick", "1 alert a second") == tuple(
        shown[name] for name in ("size", "default stop", "rate")
    )


def test_an_empty_list_names_the_options_that_found_nothing() -> None:
    assert "No jobs yet." == describe_none("jobs", state=None, queue=None)
    assert "No jobs with --state dead --account-id 7." == describe_none("jobs", state="dead", queue=None, account_id=7)
