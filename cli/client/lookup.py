"""Lookup of the account, contract or order that a command names; an ambiguous name is an error."""

from collections.abc import Sequence
from decimal import Decimal

import click
from sqlalchemy import Connection

from cli.console.cells import SHORT_ID
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import contracts
from shared.db.orders import orders, positions
from shared.db.orders.orders import OrderRow
from shared.domain.accounts.account_name import is_named
from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.price_text import format_price
from shared.domain.market_data.symbol import Symbol, parse_symbol
from shared.errors import RefusedError


def short_id(order_id: object) -> str:
    """Return the random end of an id; ids created together share their beginning."""
    return str(order_id)[-SHORT_ID:]


def match_account(known: Sequence[AccountRow], word: str | None) -> AccountRow:
    """Return the account with this id or name; without one, the only tradable account. Raise ClickException."""
    if not known:
        raise click.ClickException("no account is known yet: `tickwork status` shows whether everything runs")
    if word is not None:
        matches = [one for one in known if is_named(word, one.id, one.name)]
        names = ", ".join(f"{one.id} ({one.name}{'' if one.can_trade else ', may not trade'})" for one in known)
        hint = f"account {word} is unknown; known: {names}"
        if len(matches) > 1:
            hint = f"more than one account is named {word}: give the id, {' or '.join(str(one.id) for one in matches)}"
    else:
        matches = [one for one in known if one.can_trade]
        names = ", ".join(f"{one.id} ({one.name})" for one in matches) or "none"
        hint = f"choose an account with --account ID; tradable: {names}"
    if len(matches) != 1:
        raise click.ClickException(hint)
    return matches[0]


def resolve_accounts(connection: Connection, word: str | None) -> list[AccountRow]:
    """Return the account with this id or name; without one, all accounts."""
    known = accounts.list_all(connection)
    return known if known and word is None else [match_account(known, word)]


def resolve_account(connection: Connection, word: str | None) -> AccountRow:
    """Return the account with this id or name; without one, the only tradable account."""
    return match_account(accounts.list_all(connection), word)


def resolve_active_contract(connection: Connection, word: str) -> Contract:
    """Return the active contract of a symbol's root, for an entry; raise RefusedError."""
    symbol = _parse_symbol(word)
    root = symbol.root.name
    found = contracts.find_active(connection, root)
    if found is None:
        raise RefusedError(f"no single active contract of {root} (symbol {word}): check that it is tracked")
    if not symbol.names(found.id):
        raise RefusedError(f"{word} is not the active contract of {root}: expected {found.id}")
    return found


def resolve_contract(connection: Connection, account_ids: Sequence[int], word: str) -> Contract:
    """Return the symbol's contract with a position or orders, else the root's active contract; raise RefusedError.

    For what moves one stop; an exit takes all of `list_exit_contracts`.
    """
    if word.upper().startswith("CON."):
        found = contracts.get(connection, word.upper())
        if found is None:
            raise RefusedError(
                f"contract {word} is unknown: `tickwork positions` and `tickwork orders` list the known ones"
            )
        return found
    symbol = _parse_symbol(word)
    ids = {row.contract_id for row in positions.list_in_accounts(connection, account_ids)}
    ids |= {order.contract_id for one in account_ids for order in orders.list_open(connection, one)}
    mine = sorted(filter(symbol.names, ids))
    if len(mine) > 1:
        raise RefusedError(f"symbol {word} is ambiguous ({', '.join(mine)}): give the contract's whole id")
    return contracts.require(connection, mine[0]) if mine else resolve_active_contract(connection, word)


def list_contract_ids(connection: Connection, symbol: Symbol) -> list[str]:
    """Return the known contracts that a symbol means, for a listing: of a root all of them."""
    return [one.id for one in contracts.list_of_root(connection, symbol.root.name) if symbol.names(one.id)]


def list_exit_contracts(connection: Connection, account_ids: Sequence[int], word: str) -> list[Contract]:
    """Return the contracts that an exit by symbol means: all with a position or orders, and the root's active one.

    Those held come first, the active one before others. If there is none, return every known contract that the symbol
    means: an exit needs no active month. Raise RefusedError if none is known.
    """
    if word.upper().startswith("CON."):
        return [resolve_contract(connection, account_ids, word)]
    symbol = _parse_symbol(word)
    held = {row.contract_id for row in positions.list_in_accounts(connection, account_ids)}
    shown = held | {order.contract_id for one in account_ids for order in orders.list_open(connection, one)}
    known = [one for one in contracts.list_of_root(connection, symbol.root.name) if symbol.names(one.id)]
    if not known:
        raise RefusedError(
            f"no contract of {symbol.root.name} is known (symbol {word}): `tickwork flatten` without --contract closes "
            "whatever is held"
        )
    active = contracts.find_active(connection, symbol.root.name)
    found = [one for one in known if one.id in shown or one == active] or known
    return sorted(found, key=lambda one: (one.id not in held, one != active, one.id))


def find_order(connection: Connection, digits: str) -> OrderRow:
    """Return the only order whose id begins or ends with the digits; raise RefusedError."""
    found = orders.find_by_id_part(connection, digits)
    if not found:
        raise RefusedError(f"no order id begins or ends with {digits}: `tickwork orders` lists the orders")
    if len(found) > 1:
        several = ", ".join(str(one.id) for one in found)
        raise RefusedError(f"order id {digits} is ambiguous ({several}): give more characters")
    return found[0]


def require_tick_multiple(name: str, price: Decimal | None, contract: Contract) -> None:
    """Raise RefusedError for a price that is not a multiple of the tick size."""
    if price is None:
        return
    try:
        to_ticks(price, contract.tick_size)
    except ValueError:
        below = price // contract.tick_size * contract.tick_size
        near = [format_price(one, contract.tick_size) for one in (below, below + contract.tick_size)]
        raise RefusedError(
            f"invalid {name} '{price}': expected a multiple of {contract.tick_size}, the tick of {contract.id}, such "
            f"as {' or '.join(near)}"
        ) from None


def _parse_symbol(word: str) -> Symbol:
    try:
        return parse_symbol(word)
    except ValueError as error:
        raise RefusedError(str(error)) from None
