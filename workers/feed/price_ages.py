"""How old the newest price of each contract is while its market is open; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.hot.feed_health import ContractHealth


@dataclass(slots=True)
class PriceAges:
    """When each contract had its last data, or its session began; seconds of a clock that is never set."""

    _since: dict[str, float] = field(default_factory=dict)

    def observe(self, contracts: Mapping[str, ContractHealth], now: float) -> dict[str, float]:
        """Return the age in milliseconds by contract in session: since its last quote or trade, also across reconnects.

        Without any since its session began, or since this feed became the active one, it is the time since then.
        """
        ages: dict[str, float] = {}
        for contract_id, one in contracts.items():
            if not one.is_in_session:
                self._since.pop(contract_id, None)
                continue
            since = self._since.get(contract_id, now)
            if one.silent_s is not None and contract_id in self._since:
                since = max(since, now - one.silent_s)
            self._since[contract_id] = since
            ages[contract_id] = (now - since) * 1000
        return ages
