"""The active month of each root, which stays the same for a whole trading day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.domain.market_data.contract import Contract


def keep_active(
    found: Sequence[Contract], active_today: Mapping[str, str], active_before: Mapping[str, str]
) -> list[Contract]:
    """Return the venue's contracts, with the months that were active earlier in the trading day as the active ones.

    `active_today` maps a root to the id of that contract, `active_before` to that of the last one known. One that the
    venue no longer offers is not kept. So entries, stops and the bars of a strategy do not change the month in the
    middle of a day, when the venue's flag moves. While the venue says that two are active, as in a week in which
    traders move to the next month, the one that was active before stays.
    """
    offered = {contract.id for contract in found}
    per_root = Counter(contract.root for contract in found if contract.is_active)
    wanted = {root: id_ for root, id_ in active_before.items() if per_root[root] > 1} | dict(active_today)
    kept = {root: contract_id for root, contract_id in wanted.items() if contract_id in offered}
    return [
        replace(contract, is_active=contract.id == kept[contract.root]) if contract.root in kept else contract
        for contract in found
    ]
