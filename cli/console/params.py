"""Options and types of arguments that several commands take."""

import re
from decimal import Decimal

import click

from cli.client.lookup import SHORTEST_ID
from shared.domain.orders.order import MOST_TICKS, Side
from shared.errors import RefusedError

_NUMERAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SIDES = {"buy": Side.BUY, "long": Side.BUY, "sell": Side.SELL, "short": Side.SELL}

account_option = click.option(
    "--account", "account_word", metavar="ACCOUNT", help="Its id or name; may be left out if exactly one may trade."
)


class OrderIdType(click.ParamType[str]):
    """An order's id, or its beginning or end: as hexadecimal digits."""

    name = "order id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what can be none."""
        digits = value.replace("-", "").lower()
        if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_ID},32}}", digits):
            self.fail(
                f"{value!r} is no order's id: give it, or {SHORTEST_ID} or more of its first or last characters, as "
                "`tickwork orders` lists them",
                param,
                ctx,
            )
        return digits


class PriceType(click.ParamType[Decimal]):
    """A decimal above zero, exactly as typed."""

    name = "price"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Refuse what is none."""
        if not _NUMERAL.fullmatch(value) or not Decimal(value):
            self.fail(f"{value!r} cannot be used: give a number above 0, such as 21500.25", param, ctx)
        return Decimal(value)


class MoneyType(click.ParamType[Decimal]):
    """Dollars, exactly as typed; an Express account may snapshot below zero."""

    name = "dollars"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Refuse what is none."""
        if not _NUMERAL.fullmatch(value.removeprefix("-")):
            self.fail(f"{value!r} cannot be used: give dollars, such as 52150.75", param, ctx)
        return Decimal(value)


class SideType(click.ParamType[Side]):
    """Which way to go."""

    name = "side"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Side:
        """Refuse what is none."""
        side = _SIDES.get(value.lower())
        if side is None:
            self.fail(f"{value!r} is no side: give {', '.join(_SIDES)}", param, ctx)
        return side


def ticks_or_none(word: str) -> int | None:
    """Return a distance in ticks, or None for the word `none`."""
    if word.lower() == "none":
        return None
    if not word.isdecimal() or not 1 <= int(word) <= MOST_TICKS:
        raise RefusedError(f"{word!r} is no distance: give ticks from 1 to {MOST_TICKS}, or none")
    return int(word)
