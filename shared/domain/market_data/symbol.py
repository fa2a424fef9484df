"""A trader's symbol: MNQ, MNQ1!, MNQZ6, MNQZ2026, MNQ Z26, MNQ.Z26, CME:MNQ1!, or the venue's id of one contract."""

import re
from dataclasses import dataclass
from functools import lru_cache

from shared.domain.market_data.contract import MONTHS, ROOTS, Root, root_of_contract

_CONTRACT_ID = re.compile(rf"CON\.F\.US\.[A-Z0-9]+\.(?P<month>[{MONTHS}])(?P<year>\d{{2}})")
_TAIL = re.compile(rf"(?P<continuous>\d!)|[ .]?(?P<month>[{MONTHS}])(?P<year>\d{{4}}|\d{{1,2}})")
_FRONT = "1!"
_LONGEST_FIRST = sorted(ROOTS, key=len, reverse=True)
# The exchange of each root, where its group does not give it. Source: CME Group's product pages.
_EXCHANGE_OF_GROUP = {
    "equity": "CME", "currency": "CME", "crypto": "CME", "livestock": "CME", "rates": "CBOT", "grains": "CBOT",
    "energy": "NYMEX", "metals": "COMEX",
}  # fmt: skip
_EXCHANGE_OF_ROOT = {"YM": "CBOT", "MYM": "CBOT", "PL": "NYMEX"}


@dataclass(frozen=True, slots=True)
class Symbol:
    """A root, or with `month` and `year` one contract of it; the year has the digits that were given."""

    text: str  # as it was given
    root: Root
    month: str | None = None
    year: str | None = None

    def names(self, contract_id: str) -> bool:
        """Whether it means the contract with the venue's id: a root means each of its contracts."""
        if root_of_contract(contract_id) is not self.root:
            return False
        year = f"20{contract_id[-2:]}"
        return self.month is None or (self.month == contract_id[-3] and year.endswith(self.year or ""))


@lru_cache(maxsize=256)
def parse_symbol(text: str) -> Symbol:
    """Return the symbol; raise ValueError with the text and a hint for an unknown root, month or exchange.

    The longest root wins, so M2K1! is M2K and 6E1! is 6E. A prefix such as CME_MINI: must be that of the root's
    exchange: NYSE:CL is Colgate and no crude oil. Only the first continuous contract is known: MNQ1!, not MNQ2!.
    """
    plain = text.strip().upper()
    if plain.startswith("CON."):
        root = root_of_contract(plain)
        found = _CONTRACT_ID.fullmatch(plain)
        assert found is not None  # noqa: S101  # root_of_contract has matched it
        return Symbol(text, _with_month(root, found["month"], text), found["month"], found["year"])
    prefix, _, bare = plain.rpartition(":")
    for name in _LONGEST_FIRST:
        tail = bare.removeprefix(name)
        part = _TAIL.fullmatch(tail) if tail != bare else None
        if tail != bare and (tail == "" or part is not None):
            root = ROOTS[name]
            _require_exchange(root, prefix, text)
            if part is None or part["continuous"] == _FRONT:
                return Symbol(text, root)
            if part["continuous"] is not None:
                raise ValueError(
                    f"invalid symbol {text!r}: only the active contract is traded, expected {name}1! or {name}"
                )
            return Symbol(text, _with_month(root, part["month"], text), part["month"], part["year"])
    raise ValueError(f"unknown symbol {text!r}: expected a root such as MNQ, or MNQ1!, or CME_MINI:MNQ1!")


def exchange_of(root: Root) -> str:
    """Return the exchange that lists a root: CME, CBOT, NYMEX or COMEX."""
    return _EXCHANGE_OF_ROOT.get(root.name, _EXCHANGE_OF_GROUP[root.group])


def _require_exchange(root: Root, prefix: str, text: str) -> None:
    # TradingView's prefixes: CME, CME_MINI, and with _DL the delayed data of either.
    if prefix and prefix.partition("_")[0] != exchange_of(root):
        raise ValueError(
            f"invalid symbol {text!r}: {prefix} does not list the future {root.name}, expected {exchange_of(root)}, or "
            f"the root alone"
        )


def _with_month(root: Root, month: str, text: str) -> Root:
    if month not in root.months:
        raise ValueError(f"invalid symbol {text!r}: {root.name} has no month {month}, expected one of {root.months}")
    return root
