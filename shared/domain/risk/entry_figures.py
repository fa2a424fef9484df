"""The figures behind the verdict on an entry: what it risks, what is left, and the price that was seen."""

from collections.abc import Mapping
from decimal import Decimal

from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.entry_rules import SizedEntry
from shared.domain.risk.headroom import list_headroom
from shared.domain.risk.rule_book import RuleBook

# Amounts are text, as JSON's numbers are no decimals.
Figures = Mapping[str, str | int | Mapping[str, str]]


def measure_entry(entry: SizedEntry, risk: AccountRisk, book: RuleBook, price: Decimal | None) -> Figures:
    """Return the figures of an entry that are known, as the rows and the quote are at its verdict.

    `price` is the quote at which a market order of its side fills; `stop_risk` are the dollars lost at its stop, before
    fees; `equity` is the account's; `held` the signed position in its contract; `headroom` the dollars left by loss
    limit before this entry, once the stops of all positions and open entries are hit.
    """
    found: dict[str, str | int | Mapping[str, str]] = {"held": risk.quantity_of(entry.contract.id)}
    amounts = {"price": price, "stop_risk": entry.stop_risk, "equity": risk.equity}
    found |= {name: str(amount) for name, amount in amounts.items() if amount is not None}
    return found | {"headroom": {rule: str(left) for rule, left in list_headroom(risk, book)}}
