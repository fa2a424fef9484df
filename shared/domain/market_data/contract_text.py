"""The short names of contracts, as a person reads them."""

import re

from shared.domain.market_data.contract import name_root

_CONTRACT = re.compile(r"CON\.[A-Z]\.[A-Z]+\.([A-Z0-9]+)\.([A-Z])([0-9]{2})")
# In a sentence: whole, and neither quoted, as what was typed is, nor an example of how to type one.
_CONTRACT_IN_TEXT = re.compile(rf"(?<!['\"\w.])(?<!as in ){_CONTRACT.pattern}(?![\w'\"]|\.\w)")


def shorten_contract(contract_id: str) -> str:
    """Return root, month and year of the venue's id of a contract, such as `MNQ Z26`; any other text as it is.

    The venue has its own name for some roots, such as ENQ for NQ: no command takes that.
    """
    found = _CONTRACT.fullmatch(contract_id)
    return contract_id if found is None else f"{name_root(found[1])} {found[2]}{found[3]}"


def shorten_contracts(text: str) -> str:
    """Return a sentence with the short names of its contracts; what is quoted was typed, or is to be, and stays."""
    parts = text.split("`")
    parts[::2] = [_CONTRACT_IN_TEXT.sub(lambda found: shorten_contract(found[0]), part) for part in parts[::2]]
    return "`".join(parts)
