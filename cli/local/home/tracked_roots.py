"""The roots that a person chooses to track, checked before a program has them."""

from difflib import get_close_matches

from shared.domain.market_data.contract import ROOTS
from shared.errors import SettingsError
from shared.setting_values import parse_list

_NEAREST = 3


def require_known_roots(value: str, name: str = "contracts") -> None:
    """Raise SettingsError, with the nearest roots that there are, for the first of the setting `name` that is none."""
    for word in parse_list({name: value}, name):
        if word.upper() not in ROOTS:
            near = get_close_matches(word.upper(), ROOTS, n=_NEAREST, cutoff=0)
            raise SettingsError(
                f"invalid {name} {word!r}: expected roots with commas between them, such as MNQ,MES; the nearest "
                f"are {', '.join(near)}"
            )
