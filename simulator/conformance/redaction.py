"""Redaction: what may leave the computer in a report, and a sample of each kind of message."""

import re
from decimal import Decimal
from typing import Any

import msgspec

from shared.log import mask_secrets

_SECRET_NAMES = {"token", "newToken", "connectionId", "connectionToken", "userName", "apiKey"}
_PERSONAL_NAMES = {"accountId", "customTag", "balance"}
_LIST_LENGTH = 2  # rows of a list in a sample
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Redactor:
    """Replaces the values that belong to a person, wherever they are in a text."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def hide(self, value: object, name: str) -> None:
        """Replace `value` by `<name>` from now on."""
        if str(value):
            self._values[str(value)] = f"<{name}>"

    def clean(self, text: str) -> str:
        """Return the text without secrets, user names, account names and account ids."""
        for value in sorted(self._values, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", self._values[value], text)
        return mask_secrets(text)


class SampleBook:
    """One sample of each kind of message, redacted; a sample with rows replaces one without."""

    def __init__(self) -> None:
        self._samples: dict[str, Any] = {}

    def record(self, kind: str, document: Any) -> None:  # noqa: ANN401 - any JSON
        """Keep a message as the sample of its kind if it says more than the one before."""
        known = self._samples.get(kind)
        if known is None or _count_leaves(document) > 2 * _count_leaves(known):
            self._samples[kind] = _shorten(document)

    def samples(self, redactor: Redactor) -> dict[str, str]:
        """Return the samples as JSON by kind, in alphabetical order."""
        return {
            kind: redactor.clean(msgspec.json.format(_ENCODER.encode(_redact(sample)), indent=2).decode())
            for kind, sample in sorted(self._samples.items())
        }


def mask_digits(text: str) -> str:
    """Return the text with 0 for each digit, so that only its form is left."""
    return "".join("0" if letter.isdigit() else letter for letter in text)


def mask_text(text: str) -> str:
    """Return the text with 0 for each digit and x for each letter."""
    return "".join("x" if letter.isalpha() else letter for letter in mask_digits(text))


def _shorten(value: Any) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case dict():
            return {name: _shorten(part) for name, part in value.items()}
        case list():
            # Nulls pad the lists of the market hub: keep one, to show that they are there.
            parts = [part for part in value if part is not None][:_LIST_LENGTH]
            return [_shorten(part) for part in parts] + ([None] if None in value else [])
    return value


def _redact(value: Any, name: str = "", *, is_account: bool = False) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case dict():
            own = {"canTrade", "isVisible"} <= set(value)  # the row of an account
            return {key: _redact(part, key, is_account=own) for key, part in value.items()}
        case list():
            return [_redact(part, name) for part in value]
        case None | bool():
            return value
    if name in _SECRET_NAMES or (is_account and name == "name"):
        return "***"
    if name in _PERSONAL_NAMES or (is_account and name == "id"):
        return mask_text(value) if isinstance(value, str) else _mask_number(value)
    return value


def _mask_number(value: Any) -> Any:  # noqa: ANN401 - a number of JSON
    """Return 0 with as many decimals as the number has."""
    return Decimal(0).scaleb(int(value.as_tuple().exponent)) if isinstance(value, Decimal) else 0


def _count_leaves(value: Any) -> int:  # noqa: ANN401 - any JSON
    match value:
        case dict():
            return sum(map(_count_leaves, value.values()))
        case list():
            return sum(map(_count_leaves, value[:_LIST_LENGTH]))
    return value is not None
