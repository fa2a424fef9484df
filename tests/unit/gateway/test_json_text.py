"""The venue's JSON: texts that Postgres cannot store become texts that it can, and nothing else changes."""

from decimal import Decimal

import pytest

from shared.gateway import json_text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (rb'{"m": "a\ud800b"}', {"m": "a\ufffdb"}),
        (rb'["\uDFFF", "\u0000"]', ["\ufffd", "\ufffd"]),
        (rb'{"\udc00": 1.5}', {"\ufffd": Decimal("1.5")}),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        ('"\U0001f600 caf\xe9"'.encode(), "\U0001f600 caf\xe9"),
        (rb'"\\ud800"', r"\ud800"),
    ],
)
def test_what_is_no_character_is_replaced(content: bytes, expected: object) -> None:
    assert expected == json_text.parse(content)


@pytest.mark.parametrize("content", [b"", b"{", b"[NaN]", b"[-Infinity]"])
def test_what_is_no_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_text.parse(content)
