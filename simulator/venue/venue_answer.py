"""The answers of the venue to a request, and the refusals of an account that may not trade."""

from dataclasses import dataclass

from shared.domain.market_data.contract import Contract
from simulator.venue.placing import OrderTerms
from simulator.venue.records import AccountRecord

_VIOLATED = "The account has violated its maximum loss limit."
_NOT_ALLOWED = "Account is not allowed to trade."
_LOCKED = "The account has reached its daily loss limit and is locked until 17:00 CT."


@dataclass(frozen=True, slots=True)
class VenueAnswer:
    """An answer: code 0 is success; the meaning of other codes depends on the endpoint."""

    code: int = 0
    message: str | None = None
    order_id: int | None = None


ACCOUNT_NOT_FOUND = VenueAnswer(1)


def refuse_without_row(wanted: OrderTerms, account: AccountRecord, contract: Contract | None) -> VenueAnswer:
    """Return the refusal of an order that leaves no row and whose tag stays free."""
    if not account.may_trade:
        return refuse_trading(account)
    if contract is None:
        return VenueAnswer(8, f"Contract {wanted.contract_id} was not found.")
    return VenueAnswer(9, f"Contract {wanted.contract_id} is not active.")


def refuse_trading(account: AccountRecord) -> VenueAnswer:
    """Return the refusal for an account that may not trade. [SIM] The code of a daily lock is not known."""
    if account.loss_state.is_violated:
        return VenueAnswer(4, _VIOLATED)
    return VenueAnswer(10, _LOCKED if account.loss_state.is_locked else _NOT_ALLOWED)
