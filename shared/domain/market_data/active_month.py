"""The active month of each root, which stays the same for a whole trading day."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.domain.market_data.contract import Contract


def keep_active(found: Sequence[Contract], active_today: Mapping[str, str]) -> list[Contract]:
    """Return the venue's contracts, with the months that were active earlier in the trading day as the active ones.

    `active_today` maps a root to the id of that contract. One that the venue no longer offers is not kept. So entries,
    stops and the bars of a strategy do not change the month in the middle of a day, when the venue's flag moves.
    """
    offered = {contract.id for contract in found}
    kept = {root: contract_id for root, contract_id in active_today.items() if contract_id in offered}
    return [
        replace(contract, is_active=contract.id == kept[contract.root]) if contract.root in kept else contract
        for contract in found
    ]
