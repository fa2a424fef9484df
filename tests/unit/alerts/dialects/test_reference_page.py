"""The page of the dialects lists each one, its fields and its words, and its examples are read."""

import re
from pathlib import Path
from types import ModuleType

import pytest

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
from shared.domain.alerts.parse import parse_alert

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "reference" / "dialects.md").read_text()
SECTIONS = {section.partition("\n")[0]: section for section in PAGE.split("\n## ")[1:]}
MODULES = [origin_discord, origin_flat, origin_railway, pickmytrade, text, traderspost, tradingview]
FILLED = {
    "{{strategy.order.action}}": "buy", "{{ticker}}": "MNQ1!", "{{exchange}}": "CME_MINI", "{{timenow}}": "1764000000",
    "{{strategy.order.contracts}}": "1", "{{strategy.market_position}}": "long",
    "{{strategy.market_position_size}}": "1",
}  # fmt: skip


def fill(message: str) -> bytes:
    for placeholder, value in FILLED.items():
        message = message.replace(placeholder, value)
    return message.encode()


def test_the_page_lists_every_dialect() -> None:
    assert [] == [name for name in DIALECTS if f"`{name}`" not in PAGE]
    assert set(DIALECTS) - {"tickwork"} == set(SECTIONS)


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_example_of_the_page_is_an_entry(name: str) -> None:
    examples = re.findall(r"```(?:json|text)\n(.*?)\n```", SECTIONS[name], re.DOTALL)

    assert examples
    assert all(parse_alert(fill(example), name).action.is_entry for example in examples)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.DIALECT.name))
def test_the_example_in_a_hint_is_read(module: ModuleType) -> None:
    assert parse_alert(fill(module.EXAMPLE), module.DIALECT.name).action.is_entry


def test_a_known_field_of_a_sender_is_on_its_page_or_has_our_name() -> None:
    missing = {
        (module.DIALECT.name, field)
        for module in (pickmytrade, text, traderspost, tradingview)
        for field, ours in module.WORDS.fields.items()
        if field != ours and f"`{field}`" not in SECTIONS[module.DIALECT.name]
    }

    assert set() == missing
