"""The options that change the settings of a hook, for `hooks add` and `hooks set`."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypedDict, TypeVar

import click
import msgspec

from shared.domain.alerts.dialects import DIALECTS
from shared.domain.alerts.hook_settings import TRADINGVIEW_SENDERS, HookSettings, SizeMode
from shared.domain.alerts.senders import parse_network
from shared.domain.counting import count_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.orders.order import MAX_TICKS, MIN_TICKS

Command = TypeVar("Command", bound=Callable[..., Any])

_MOST_PER_SECOND = 1_000_000
_LONGEST_S = 7 * 86_400
_SIZE = re.compile(r"(?P<sign>x|\$)?(?P<value>[0-9]{1,6}(\.[0-9]{1,4})?)")
_OPTIONS = (
    click.option("--dialect", type=click.Choice(sorted(DIALECTS)), help="How its messages are read."),
    click.option(
        "--map",
        "pairs",
        multiple=True,
        metavar="ROOT[=ROOT]",
        help="Roots it takes, and what is traded for each: NQ=MNQ. Repeat it; `any` takes every traded root again.",
    ),
    click.option(
        "--size",
        metavar="SIZE",
        help="`sent` (by the alert), `2` contracts, `x0.5` of the alert's, `$100` of risk.",
    ),
    click.option("--pyramiding/--no-pyramiding", "has_pyramiding", default=None, help="Whether it adds to a position."),
    click.option(
        "--cooldown", "cooldown_s", type=click.IntRange(0, _LONGEST_S), metavar="SECONDS", help="Between two entries."
    ),
    click.option(
        "--agreement/--no-agreement",
        "is_agreement_required",
        default=None,
        help="Whether it enters only while prev_market_position is what the account holds.",
    ),
    click.option("--default-stop", metavar="TICKS|none", help="Stop of an entry that has none."),
    click.option(
        "--max-age",
        "max_age_s",
        type=click.IntRange(1, _LONGEST_S),
        metavar="SECONDS",
        help="An entry sent longer ago is recorded and not traded.",
    ),
    click.option(
        "--rate", "max_per_second", type=click.IntRange(1, _MOST_PER_SECOND), metavar="N", help="Alerts a second."
    ),
    click.option(
        "--sender",
        "senders",
        multiple=True,
        metavar="ADDRESS",
        help="Addresses or networks that may send. Repeat it; `tradingview` means its four, `any` all.",
    ),
)


class HookOptionValues(TypedDict):
    """The values of the options, as click gives them."""

    dialect: str | None
    pairs: tuple[str, ...]
    size: str | None
    has_pyramiding: bool | None
    cooldown_s: int | None
    is_agreement_required: bool | None
    default_stop: str | None
    max_age_s: int | None
    max_per_second: int | None
    senders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HookOptions:
    """The options as given; None or empty for one that was not."""

    dialect: str | None = None
    pairs: tuple[str, ...] = field(default=())
    size: str | None = None
    has_pyramiding: bool | None = None
    cooldown_s: int | None = None
    is_agreement_required: bool | None = None
    default_stop: str | None = None
    max_age_s: int | None = None
    max_per_second: int | None = None
    senders: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether none was given."""
        return self == HookOptions()

    def apply(self, settings: HookSettings) -> HookSettings:
        """Return the settings with what was given; raise click.ClickException for an invalid value."""
        plain = ("dialect", "has_pyramiding", "cooldown_s", "is_agreement_required", "max_age_s", "max_per_second")
        changes: dict[str, Any] = {name: value for name in plain if (value := getattr(self, name)) is not None}
        if self.pairs:
            changes["symbols"] = _parse_pairs(self.pairs)
        if self.size is not None:
            changes["size"], changes["size_value"] = _parse_size(self.size)
        if self.default_stop is not None:
            changes["default_stop_ticks"] = _parse_stop(self.default_stop)
        if self.senders:
            changes["senders"] = _parse_senders(self.senders)
        changed = msgspec.structs.replace(settings, **changes)
        if "dialect" in changes or "size" in changes:
            _require_sizable(changed)
        return changed


def hook_options(command: Command) -> Command:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def describe_settings(settings: HookSettings) -> dict[str, str]:
    """Return the settings in the words of the options."""
    size = {SizeMode.SENT: "as the alert says", SizeMode.FIXED: count_of(int(settings.size_value or 0), "contract")}
    size |= {
        SizeMode.MULTIPLIER: f"x{settings.size_value} of the alert's",
        SizeMode.RISK: f"${settings.size_value} of risk",
    }
    mapped = (name if name == traded else f"{name} as {traded}" for name, traded in sorted(settings.symbols.items()))
    return {
        "dialect": f"{settings.dialect}: {DIALECTS[settings.dialect].summary}",
        "symbols": ", ".join(mapped) or "every traded root",
        "size": size[settings.size],
        "pyramiding": "yes" if settings.has_pyramiding else "no: it adds to no position",
        "cooldown": f"{settings.cooldown_s} s" if settings.cooldown_s else "none",
        "agreement": "required" if settings.is_agreement_required else "a warning if chart and account disagree",
        "default stop": "none"
        if settings.default_stop_ticks is None
        else count_of(settings.default_stop_ticks, "tick"),
        "max age": f"{settings.max_age_s} s, of an entry",
        "rate": f"{count_of(settings.max_per_second, 'alert')} a second",
        "senders": ", ".join(settings.senders) or "any address",
    }


def _parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    if pairs == ("any",):
        return {}
    found = {}
    for pair in pairs:
        name, _, traded = (part.strip().upper() for part in pair.partition("="))
        traded = traded or name
        for root in (name, traded):
            if root not in ROOTS:
                raise click.ClickException(
                    f"invalid --map {pair!r}: unknown root {root!r}, expected one such as NQ=MNQ"
                )
        if ROOTS[name].tick_size != ROOTS[traded].tick_size:
            raise click.ClickException(
                f"invalid --map {pair!r}: a tick of {name} is {ROOTS[name].tick_size} and one of {traded} is "
                f"{ROOTS[traded].tick_size}, so its stops would mean another distance"
            )
        found[name] = traded
    return found


def _parse_size(text: str) -> tuple[SizeMode, Decimal | None]:
    if text == SizeMode.SENT:
        return SizeMode.SENT, None
    found = _SIZE.fullmatch(text)
    value = Decimal(found["value"]) if found else Decimal(0)
    mode = SizeMode.FIXED if found is None or not found["sign"] else SizeMode.MULTIPLIER
    if found is not None and found["sign"] == "$":
        mode = SizeMode.RISK
    if not value or (mode is SizeMode.FIXED and value % 1):
        raise click.ClickException(
            f"invalid --size {text!r}: expected sent, contracts such as 2, a multiplier such as x0.5, or dollars of "
            "risk such as '$100'"
        )
    return mode, value


def _require_sizable(settings: HookSettings) -> None:
    if settings.size is SizeMode.RISK and DIALECTS[settings.dialect].enters_positions:
        raise click.ClickException(
            f"invalid --size '${settings.size_value}' of a hook with the dialect {settings.dialect}: its entries are "
            "positions, which need a size in contracts, expected sent, contracts such as 2, or a multiplier such as x2"
        )


def _parse_stop(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal() or not MIN_TICKS <= int(text[:9]) <= MAX_TICKS:
        raise click.ClickException(
            f"invalid --default-stop {text!r}: expected ticks from {MIN_TICKS} to {MAX_TICKS}, or none"
        )
    return int(text)


def _parse_senders(senders: tuple[str, ...]) -> tuple[str, ...]:
    if senders == ("any",):
        return ()
    found: list[str] = []
    for sender in senders:
        if sender == "tradingview":
            found += TRADINGVIEW_SENDERS
            continue
        try:
            network = parse_network(sender)
        except ValueError:
            raise click.ClickException(
                f"invalid --sender {sender!r}: expected an address, a network such as 10.0.0.0/8, tradingview, or any"
            ) from None
        is_one_address = network.prefixlen == network.max_prefixlen
        found.append(str(network.network_address if is_one_address else network))
    return tuple(dict.fromkeys(found))
