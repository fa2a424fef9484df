"""The size of a market entry against what is held, also of one whose size follows from its risk."""

from decimal import Decimal

from shared.db.accounts import accounts
from shared.db.orders.root_state import RootState
from shared.db.risk import entry_check
from shared.domain.market_data.contract import Contract
from shared.domain.risk.preconditions import EntryTerms
from shared.errors import PostponedError, RiskLimitError
from shared.hot.quotes import exit_price_from
from workers.context import Context
from workers.orders.current_state import has_waited


def measure_quantity(
    ctx: Context, account_id: int, contract: Contract, entry: EntryTerms, *, risk: Decimal | None, state: RootState
) -> int:
    """Return the contracts of an entry; those of one by risk only if it is against what is held, else 0.

    Raise PostponedError and RiskLimitError as its sizing does.
    """
    if risk is None:
        return entry.quantity
    if state.quantity(contract.id) * entry.side.sign >= 0:
        return 0
    with ctx.autocommit() as connection:
        account = accounts.get(connection, account_id)
        if account is None:
            return 0
        return entry_check.size_by_risk(
            connection,
            account,
            contract,
            entry,
            risk,
            settings=ctx.settings,
            clock=ctx.clock,
            exit_prices=lambda held: exit_price_from(ctx.quotes.read(held)),
        )


def measure_or_close_all(
    ctx: Context, account_id: int, contract: Contract, entry: EntryTerms, *, risk: Decimal | None, state: RootState
) -> int:
    """Return what `measure_quantity` does, or all that is held against the entry if its size is not to be found.

    That is so without a valid stop, and if the risk covers no contract. Raise PostponedError while a quote is missing,
    at most 15 s.
    """
    against = max(0, -state.quantity(contract.id) * entry.side.sign)
    try:
        return measure_quantity(ctx, account_id, contract, entry, risk=risk, state=state) or against
    except RiskLimitError:
        return against
    except PostponedError:
        if has_waited(ctx):
            return against
        raise
