"""The page of our own fields lists each field, and each word of `action`."""

import re
from pathlib import Path

from shared.domain.alerts.field_names import FIELDS
from shared.domain.alerts.parse import ACTIONS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "alert-fields.md").read_text()
NAMES = set(re.findall(r"`(\w+)`", PAGE))


def test_every_field_is_on_the_page() -> None:
    assert set() == set(FIELDS) - NAMES


def test_every_word_of_an_action_is_on_the_page() -> None:
    assert set() == set(ACTIONS) - NAMES
