"""`tickwork trades note` and `tag`: what a person writes about a trade."""

import re

import click
from sqlalchemy import Connection

from cli.client.lookup import resolve_account
from cli.client.stack import begin
from cli.console.output import print_json
from cli.console.params import json_option
from shared.db.trades import trade_notes
from shared.db.trades.trade_notes import TradeKey
from shared.errors import RefusedError

LONGEST_NOTE = 4_000
_TAG = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_TRADE = re.compile(r"([0-9]{1,18})(?:\.([01]))?")
_account_option = click.option("--account", metavar="ACCOUNT", help="If several accounts have a trade of this id.")


class TagType(click.ParamType[str]):
    """A tag: a word in lower case."""

    name = "tag"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the tag in lower case; fail for what is no single word."""
        tag = value.strip().lower()
        if not _TAG.fullmatch(tag):
            self.fail(
                f"invalid tag {value!r}: expected up to 40 letters, digits, - and _, such as breakout or late-entry",
                param,
                ctx,
            )
        return tag


def trade_id_of(opening_fill_id: int, part: int) -> str:
    """Return the id of a trade: that of the fill that opened it, with .1 for the rest of a reversal."""
    return f"{opening_fill_id}.{part}" if part else str(opening_fill_id)


@click.command("note")
@click.argument("trade")
@click.argument("text")
@_account_option
@json_option
def write_note(trade: str, text: str, account: str | None, *, as_json: bool) -> None:
    """Write a note on a trade, in the place of the one before; an empty TEXT removes it.

    TRADE is an id that `tickwork trades` lists.
    """
    if len(text) > LONGEST_NOTE:
        raise RefusedError(f"the note has {len(text)} characters: expected at most {LONGEST_NOTE}")
    with begin() as connection:
        key = _find_trade(connection, trade, account)
        trade_notes.write_note(connection, key, text.strip())
        _print_note(connection, key, trade, as_json=as_json)


@click.command("tag")
@click.argument("trade")
@click.argument("tags", nargs=-1, required=True, type=TagType())
@click.option("--remove", is_flag=True, help="Remove these tags.")
@_account_option
@json_option
def change_tags(trade: str, tags: tuple[str, ...], account: str | None, *, remove: bool, as_json: bool) -> None:
    """Tag a trade; `tickwork trades --tag TAG` lists those with a tag, also `trades stats`.

    TRADE is an id that `tickwork trades` lists.
    """
    with begin() as connection:
        key = _find_trade(connection, trade, account)
        trade_notes.change_tags(connection, key, added=() if remove else tags, removed=tags if remove else ())
        _print_note(connection, key, trade, as_json=as_json)


def _find_trade(connection: Connection, word: str, account: str | None) -> TradeKey:
    match = _TRADE.fullmatch(word.strip())
    if match is None:
        raise RefusedError(f"invalid trade {word!r}: expected an id as `tickwork trades` lists it, such as 70012")
    account_id = None if account is None else resolve_account(connection, account).id
    found = trade_notes.find_trades(connection, int(match[1]), int(match[2] or 0), account_id)
    if not found:
        raise RefusedError(f"no trade has the id {word}: `tickwork trades` lists them")
    if len(found) > 1:
        several = ", ".join(str(one.account_id) for one in found)
        raise RefusedError(f"trade {word} is ambiguous: give --account, one of {several}")
    return found[0]


def _print_note(connection: Connection, key: TradeKey, trade: str, *, as_json: bool) -> None:
    found = trade_notes.read_note(connection, key)
    if as_json:
        print_json({"trade": trade, **key._asdict(), **found._asdict()})
        return
    click.echo(f"Trade {trade}: tags {', '.join(found.tags) or 'none'}, note {found.note or 'none'}")
