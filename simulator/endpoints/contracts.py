"""Contract/search, searchById and available."""

from shared.domain.market_data.contract import MONTHS, Contract
from simulator import request_bodies, wire
from simulator.market.listing import LISTINGS
from simulator.venue.user_view import UserView

_MAX_RESULTS = 20
_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def search(user_view: UserView, body: request_bodies.ContractSearchBody) -> bytes:
    """Answer with the active contracts whose name or description contains the text: "es" matches "Treasuries" too."""
    text = (body.search_text or "").lower()
    found = [
        model
        for model in _list_active(user_view, live=body.live)
        if text in f"{model['name']} {model['description']}".lower()
    ]
    return wire.encode_envelope(contracts=found[:_MAX_RESULTS])


def search_by_id(user_view: UserView, body: request_bodies.ContractByIdBody) -> bytes:
    """Answer with one contract, active or not."""
    contract = user_view.venue.market.contract(body.contract_id, user_view.now())
    if contract is None:
        return wire.encode_envelope(1, contract=None)
    return wire.encode_envelope(contract=wire.contract_model(contract, _description(contract)))


def list_available(user_view: UserView, body: request_bodies.ContractsAvailableBody) -> bytes:
    """Answer with every active contract; the live data tier is empty."""
    return wire.encode_envelope(contracts=_list_active(user_view, live=body.live))


def _list_active(user_view: UserView, *, live: bool) -> list[dict[str, object]]:
    contracts = [] if live else sorted(user_view.venue.market.contracts(user_view.now()), key=lambda row: row.id)
    return [wire.contract_model(contract, _description(contract)) for contract in contracts]


def _description(contract: Contract) -> str:
    listing = LISTINGS.get(contract.root)
    month, year = _MONTH_NAMES[MONTHS.index(contract.id[-3])], 2000 + int(contract.id[-2:])
    return f"{listing.description if listing else contract.root}: {month} {year}"
