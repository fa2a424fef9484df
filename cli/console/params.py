"""Options and argument types shared by several commands."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import click

from cli.console.cells import SHORT_ID
from shared.domain.market_data.symbol import Symbol, parse_symbol
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.orders.order import MAX_TICKS, MIN_TICKS, Side
from shared.domain.years import YEARS, require_year
from shared.errors import RefusedError

_NUMERAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST_DURATION = timedelta(days=3_650)
_SIDES = {"buy": Side.BUY, "long": Side.BUY, "sell": Side.SELL, "short": Side.SELL}

account_option = click.option(
    "--account", "account_word", metavar="ACCOUNT", help="Account, by id or name; default: the only tradable one."
)
days_option = click.option(
    "--days", default=30, show_default=True, type=click.IntRange(1, 3_650), help="How far back, in market time."
)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
reason_option = click.option("--reason", help="Why; it is kept in the audit.")
yes_option = click.option("--yes", is_flag=True, help="Skip the confirmation.")


class OrderIdType(click.ParamType[str]):
    """An order's id, or its first or last characters, as hexadecimal digits."""

    name = "order id"
    expected = f"an id, or at least {SHORT_ID} of its first or last characters"
    listed_by = "tickwork orders"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the digits; fail when the value cannot be part of an id."""
        digits = value.replace("-", "").lower()
        if not re.fullmatch(rf"[0-9a-f]{{{SHORT_ID},32}}", digits):
            self.fail(
                f"invalid {self.name} {value!r}: expected {self.expected}; `{self.listed_by}` lists the ids",
                param,
                ctx,
            )
        return digits


class JobIdType(OrderIdType):
    """A job's id, or its first or last characters, as hexadecimal digits."""

    name = "job id"
    listed_by = "tickwork jobs"


class SecretIdType(OrderIdType):
    """The id of a hook's secret, or its first or last characters, as hexadecimal digits."""

    name = "secret id"
    listed_by = "tickwork hooks secret list NAME"


class AlertIdType(OrderIdType):
    """An alert's id, or its first or last characters, as hexadecimal digits."""

    name = "alert id"
    listed_by = "tickwork alerts list"


class ApprovalIdType(OrderIdType):
    """An approval's id, or its first or last characters, as hexadecimal digits."""

    name = "approval id"
    listed_by = "tickwork approvals --all"


class TracedIdType(OrderIdType):
    """The id of anything that can be traced, or its first or last characters; or the venue's number of an order."""

    name = "id"
    expected = (
        f"an id, at least {SHORT_ID} of its first or last characters, or the venue's number of an order or a fill"
    )
    listed_by = "tickwork alerts list"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the digits; fail when the value cannot be part of an id."""
        return value if value.isascii() and value.isdecimal() else super().convert(value, param, ctx)


class PriceType(click.ParamType[Decimal]):
    """A decimal above zero, exactly as typed."""

    name = "price"
    expected = "a number above 0, such as 21500.25"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return the price; fail when the value is not a number above 0."""
        if not _NUMERAL.fullmatch(value) or not Decimal(value):
            self.fail(f"invalid price {value!r}: expected {self.expected}", param, ctx)
        return Decimal(value)


class MoneyType(click.ParamType[Decimal]):
    """Dollars, exactly as typed; the balance of an Express account may be below zero."""

    name = "dollars"
    expected = "dollars, such as 52150.75"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return the amount; fail when the value is not a number."""
        if not _NUMERAL.fullmatch(value.removeprefix("-")):
            self.fail(f"invalid amount {value!r}: expected {self.expected}", param, ctx)
        return Decimal(value)


class SideType(click.ParamType[Side]):
    """The side of an order."""

    name = "side"
    expected = "buy, long, sell or short"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Side:
        """Return the side; fail for any other word."""
        side = _SIDES.get(value.lower())
        if side is None:
            self.fail(f"invalid side {value!r}: expected {self.expected}", param, ctx)
        return side


class SymbolType(click.ParamType[Symbol]):
    """A contract as a trader names it: MNQ, MNQ1!, MNQZ6, or the venue's id."""

    name = "symbol"
    expected = "a contract, such as MNQ, MNQ1! or MNQZ6"

    def convert(self, value: str | Symbol, param: click.Parameter | None, ctx: click.Context | None) -> Symbol:
        """Return the symbol; fail for an unknown root or month."""
        try:
            return value if isinstance(value, Symbol) else parse_symbol(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class DurationType(click.ParamType[timedelta]):
    """A length of time such as 90s, 30m, 2h or 1d."""

    name = "duration"
    expected = f"up to {_LONGEST_DURATION.days} days, such as 30m or 2h"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration; fail for another form."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", value.strip().lower())
        duration = None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})
        if duration is None or duration > _LONGEST_DURATION:
            self.fail(f"invalid duration {value!r}: expected {self.expected}", param, ctx)
        return duration


class TimeframeType(click.ParamType[Timeframe]):
    """The length of a bar, such as 1m, 90m, 4h, 1d, 1w or 1mo."""

    name = "timeframe"
    expected = "1m to 1440m, 1h to 24h, 1d, 1w or 1mo"

    def convert(self, value: str | Timeframe, param: click.Parameter | None, ctx: click.Context | None) -> Timeframe:
        """Return the timeframe; fail for another form."""
        try:
            return value if isinstance(value, Timeframe) else Timeframe.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class DayType(click.ParamType[date]):
    """A trading day."""

    name = "date"
    expected = f"a day such as 2026-03-10, {YEARS}"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day; fail when the value is not an ISO date."""
        try:
            found = value if isinstance(value, date) else date.fromisoformat(value)
            require_year(found)
        except ValueError:
            self.fail(f"invalid date {value!r}: expected {self.expected}", param, ctx)
        return found


class InstantType(click.ParamType[datetime]):
    """A day or an instant, UTC unless it says otherwise."""

    name = "time"
    expected = f"a day or an instant, such as 2026-03-09T14:30, {YEARS}"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the instant; fail for another form."""
        try:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            require_year(found)
        except ValueError:
            self.fail(f"invalid time {value!r}: expected {self.expected}", param, ctx)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def require_span(since: datetime | None, until: datetime | None) -> None:
    """Raise UsageError if no time lies from --since on and before --until."""
    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"no time lies from --since {_format(since)} on and before --until {_format(until)}")


def _format(at: datetime) -> str:
    return f"{at:%Y-%m-%d}" if at.time() == time.min else f"{at:%Y-%m-%dT%H:%M}"


def parse_ticks_or_none(word: str) -> int | None:
    """Return the distance of a stop, as the venue accepts it, or None for `none`; else raise RefusedError."""
    if word.lower() == "none":
        return None
    if not word.isdecimal() or not MIN_TICKS <= int(word) <= MAX_TICKS:
        raise RefusedError(f"invalid distance {word!r}: expected ticks from {MIN_TICKS} to {MAX_TICKS}, or none")
    return int(word)
