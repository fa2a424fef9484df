"""Which account, contract or order a word on the command line means; never the first of several."""

from collections.abc import Sequence
from decimal import Decimal

import click
from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import contracts
from shared.db.orders import orders, positions
from shared.db.orders.orders import OrderRow
from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.contract import Contract, root_of_contract, root_of_symbol
from shared.errors import RefusedError

SHORTEST_ID = 8


def short_id(order_id: object) -> str:
    """Return the end of an id, which is random: the beginnings of those made together are alike."""
    return str(order_id)[-SHORTEST_ID:]


def account(known: Sequence[AccountRow], word: str | None) -> AccountRow:
    """Return the account that a word names, or without one the only one that may trade."""
    shown = ", ".join(f"{one.id} ({one.name})" for one in known if one.can_trade) or "none"
    if not known:
        raise click.ClickException("no account is known yet: `tickwork status` tells whether everything runs")
    if word is not None:
        matches = [one for one in known if word == str(one.id) or word.lower() == one.name.lower()]
        hint = f"account {word} is unknown: those that may trade are {shown}"
        if len(matches) > 1:
            hint = f"more than one account is called {word}: give its id, {' or '.join(str(one.id) for one in matches)}"
    else:
        matches = [one for one in known if one.can_trade]
        hint = f"say which account with --account ID, of those that may trade: {shown}"
    if len(matches) != 1:
        raise click.ClickException(hint)
    return matches[0]


def some_accounts(connection: Connection, word: str | None) -> list[AccountRow]:
    """Return the account that a word names, or all there are."""
    known = accounts.list_all(connection)
    return known if known and word is None else [account(known, word)]


def one_account(connection: Connection, word: str | None) -> AccountRow:
    """Return the account that a word names, or the only one that may trade."""
    return account(accounts.list_all(connection), word)


def active_contract(connection: Connection, word: str) -> Contract:
    """Return the contract to enter that a symbol means: the active one of its root."""
    root = _root(word)
    found = contracts.active_of_root(connection, root)
    if found is None:
        raise RefusedError(f"the venue offers no single active contract of {root} (symbol {word}): is it tracked?")
    if word.upper().startswith("CON.") and found.id != word.upper():
        raise RefusedError(f"{word} is not the active contract of {root}: that is {found.id}")
    return found


def concerned_contract(connection: Connection, account_ids: Sequence[int], word: str) -> Contract:
    """Return the contract that a symbol means where it is held or has orders, else the root's active one."""
    if word.upper().startswith("CON."):
        found = contracts.get(connection, word.upper())
        if found is None:
            raise RefusedError(f"contract {word} is unknown: `tickwork positions` and `tickwork orders` show those met")
        return found
    root = _root(word)
    ids = {row.contract_id for row in positions.in_accounts(connection, account_ids)}
    ids |= {order.contract_id for one in account_ids for order in orders.open_of(connection, one)}
    mine = sorted(contract_id for contract_id in ids if root_of_contract(contract_id).name == root)
    if len(mine) > 1:
        raise RefusedError(f"{word} may mean {' or '.join(mine)}: give the contract's whole id")
    return contracts.require(connection, mine[0]) if mine else active_contract(connection, word)


def one_order(connection: Connection, digits: str) -> OrderRow:
    """Return the only order whose id begins or ends so."""
    found = orders.find_by_id_part(connection, digits)
    if not found:
        raise RefusedError(f"no order has an id that begins or ends with {digits}: `tickwork orders` lists them")
    if len(found) > 1:
        several = ", ".join(str(one.id) for one in found)
        raise RefusedError(f"{digits} is the beginning or the end of more than one order's id ({several}): give more")
    return found[0]


def need_tick(name: str, price: Decimal | None, contract: Contract) -> None:
    """Refuse a price between two ticks."""
    if price is None:
        return
    try:
        to_ticks(price, contract.tick_size)
    except ValueError:
        below = price // contract.tick_size * contract.tick_size
        raise RefusedError(
            f"{name} {price} is not a multiple of {contract.id}'s tick {contract.tick_size}: {below} or "
            f"{below + contract.tick_size} would be"
        ) from None


def _root(word: str) -> str:
    try:
        return root_of_symbol(word).name
    except ValueError as error:
        raise RefusedError(str(error)) from None
