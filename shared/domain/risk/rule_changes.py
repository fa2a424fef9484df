"""A person's changes to a rule book, parsed from text and formatted as text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from shared.domain.accounts.stage import Stage
from shared.domain.market_data.contract import ROOTS
from shared.domain.risk.rule_book import LossPause, NewsWindow, RuleBook, ScalingStep
from shared.domain.years import require_year
from shared.errors import RefusedError

_NONE = "none"
_YES_NO = {"yes": True, "no": False}
_MONEY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
_SHARE = re.compile(r"[0-9]?\.?[0-9]{1,6}")
_COUNT = re.compile(r"[0-9]{1,6}")
_HOURS = re.compile(r"(?P<opens>[0-9]{2}:[0-9]{2})\s*-\s*(?P<ends>[0-9]{2}:[0-9]{2})")
_SCALING_STEP = re.compile(r"(?P<minis>[0-9]{1,3})(\s+(?P<edge>from|above)\s+(?P<balance>[0-9]{1,9}(\.[0-9]{1,2})?))?")
_LONGEST_MINUTES = 24 * 60  # of a pause, or beside a news event


def _parse_money(text: str) -> Decimal:
    if not _MONEY.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)


def _parse_money_above_zero(text: str) -> Decimal:
    money = _parse_money(text)
    if money == 0:
        raise ValueError(text)
    return money


def _parse_share(text: str) -> Decimal:
    if not _SHARE.fullmatch(text) or not 0 < Decimal(text) <= 1:
        raise ValueError(text)
    return Decimal(text)


def _parse_count(text: str) -> int:
    if not _COUNT.fullmatch(text) or int(text) == 0:
        raise ValueError(text)
    return int(text)


def _parse_yes_no(text: str) -> bool:
    if text.lower() not in _YES_NO:
        raise ValueError(text)
    return _YES_NO[text.lower()]


def _parse_hours(text: str) -> tuple[time, time]:
    match = _HOURS.fullmatch(text)
    if not match:
        raise ValueError(text)
    opens, ends = time.fromisoformat(match["opens"]), time.fromisoformat(match["ends"])
    if opens == ends:
        raise ValueError(text)
    return opens, ends


def _parse_roots(text: str) -> tuple[str, ...]:
    roots = tuple(part.strip().upper() for part in text.split(","))
    if not all(root in ROOTS for root in roots):
        raise ValueError(text)
    return roots


def _parse_scaling_plan(text: str) -> tuple[ScalingStep, ...]:
    return tuple(_parse_scaling_step(part.strip()) for part in text.split(","))


def _parse_scaling_step(text: str) -> ScalingStep:
    match = _SCALING_STEP.fullmatch(text)
    if not match:
        raise ValueError(text)
    balance = Decimal(match["balance"]) if match["balance"] else None
    return ScalingStep(_parse_count(match["minis"]), balance, is_only_above=match["edge"] == "above")


def _parse_news(text: str) -> tuple[NewsWindow, ...]:
    return tuple(_parse_window(part.strip()) for part in text.split(";") if part.strip())


def _parse_window(text: str) -> NewsWindow:
    name, instant, before, after, *more = (part.strip() for part in text.split(","))
    at = datetime.fromisoformat(instant)
    require_year(at)
    if not name or at.tzinfo is None or more not in ([], ["micros"]):
        raise ValueError(text)
    minutes = [_parse_count(part) if part != "0" else 0 for part in (before, after)]
    if max(minutes) > _LONGEST_MINUTES:
        raise ValueError(text)
    earliest, latest = (timedelta(minutes=each) for each in minutes)
    return NewsWindow(name, at, earliest, latest, blocks_micros=bool(more))


def _parse_loss_pause(text: str) -> LossPause:
    losses, minutes = (_parse_count(part.strip()) for part in text.split(","))
    if minutes > _LONGEST_MINUTES:
        raise ValueError(text)
    return LossPause(losses, timedelta(minutes=minutes))


def _parse_max_by_root(text: str) -> tuple[tuple[str, int], ...]:
    pairs = (part.split() for part in text.split(","))
    found = {root.upper(): _parse_count(count) for root, count in pairs}
    if len(found) != text.count(",") + 1 or not found.keys() <= ROOTS.keys():
        raise ValueError(text)
    return tuple(found.items())


def _allow_none(parse: Callable[[str], object], none: object = None) -> Callable[[str], object]:
    return lambda text: none if text.lower() == _NONE else parse(text)


def _format_plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _format_yes_no(value: bool) -> str:  # noqa: FBT001  # the value itself
    return "yes" if value else "no"


def _format_hours(value: tuple[time, time]) -> str:
    opens, ends = value
    return f"{opens:%H:%M}-{ends:%H:%M}"


def _format_loss_pause(value: LossPause) -> str:
    return f"{value.after}, {value.lasts // timedelta(minutes=1)}"


def _format_max_by_root(value: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{root} {count}" for root, count in value)


def _format_scaling_plan(value: tuple[ScalingStep, ...]) -> str:
    return ", ".join(
        str(step.minis)
        if step.balance is None
        else f"{step.minis} {'above' if step.is_only_above else 'from'} {step.balance:f}"
        for step in value
    )


def format_news(value: tuple[NewsWindow, ...]) -> str:
    """Return news windows as the text of a rule change."""
    minute = timedelta(minutes=1)
    return "; ".join(
        f"{window.name}, {window.at.isoformat()}, {window.before // minute}, {window.after // minute}"
        + (", micros" if window.blocks_micros else "")
        for window in value
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """The text form of one rule: its parser, the input it expects, its source, and its formatter."""

    parse: Callable[[str], object]
    expected: str
    source: str
    format: Callable[[Any], str] = _format_plain


_FIRM = "TopstepX, 2026-09"
_CAUTIOUS = "TopstepX leaves it open: our cautious assumption"
_OURS = "our own limit"
_DOLLARS = "dollars above 0 such as 1500 or 1500.50"
_DOLLARS_OR_NONE = f"{_DOLLARS}, or none"
_A_SHARE = "a share above 0 and up to 1, such as 0.75"
_A_COUNT = "a whole number of 1 or more"
_RULES = {
    "starting_balance": _Rule(_parse_money, "dollars such as 50000, or 0 for an Express account", _FIRM),
    "max_loss_limit": _Rule(_allow_none(_parse_money_above_zero), _DOLLARS_OR_NONE, _FIRM),
    "daily_loss_limit": _Rule(_allow_none(_parse_money_above_zero), _DOLLARS_OR_NONE, _FIRM),
    "has_been_paid": _Rule(
        _parse_yes_no, "yes after an Express account's first payout, else no", _FIRM, _format_yes_no
    ),
    "profit_target": _Rule(_allow_none(_parse_money_above_zero), _DOLLARS_OR_NONE, _FIRM),
    "consistency_share": _Rule(_allow_none(_parse_share), f"{_A_SHARE}, or none", _FIRM),
    "max_minis": _Rule(_parse_count, _A_COUNT, _FIRM),
    "scaling_plan": _Rule(
        _allow_none(_parse_scaling_plan, ()),
        "minis by balance such as '2, 3 from 1500, 5 above 2000', or none",
        _FIRM,
        _format_scaling_plan,
    ),
    "micros_per_mini": _Rule(_parse_count, _A_COUNT, _FIRM),
    "heavy_micros": _Rule(_allow_none(_parse_roots, ()), "roots such as 'SIL, MBT, MET', or none", _FIRM, ", ".join),
    "heavy_micro_weight": _Rule(_parse_count, _A_COUNT, _CAUTIOUS),
    "max_quantity": _Rule(_parse_count, _A_COUNT, _OURS),
    "max_trades_per_day": _Rule(_allow_none(_parse_count), f"{_A_COUNT}, or none", _OURS),
    "max_orders_per_minute": _Rule(_parse_count, _A_COUNT, "our own limit; TopstepX: keep order rates low"),
    "risk_per_trade": _Rule(_allow_none(_parse_money_above_zero), _DOLLARS_OR_NONE, _OURS),
    "costs_per_mini": _Rule(
        _parse_money, "dollars in and out, such as 4.32", "TopstepX, 2026-07: the dearest mini, SI"
    ),
    "costs_per_micro": _Rule(
        _parse_money, "dollars in and out, such as 2.72", "TopstepX, 2026-07: the dearest micro, SIL"
    ),
    "trading_hours": _Rule(
        _allow_none(_parse_hours), "two different times of Chicago such as 08:30-15:00, or none", _OURS, _format_hours
    ),
    "news": _Rule(
        _allow_none(_parse_news, ()),
        "events such as 'CPI, 2026-12-10T13:30+00:00, 5, 5; FOMC, 2026-12-09T19:00Z, 5, 5, micros' (name, instant "
        "with its offset, minutes before and after, micros if they are blocked too), or none",
        _FIRM,
        format_news,
    ),
    "imported_news": _Rule(
        _allow_none(_parse_news, ()),
        "events as news has them, from `tickwork accounts news import FILE`, or none",
        "your calendar files",
        format_news,
    ),
    "daily_profit_target": _Rule(_allow_none(_parse_money_above_zero), _DOLLARS_OR_NONE, _OURS),
    "weekly_loss_limit": _Rule(_allow_none(_parse_money_above_zero), _DOLLARS_OR_NONE, _OURS),
    "max_consecutive_losses": _Rule(_allow_none(_parse_count), f"{_A_COUNT}, or none", _OURS),
    "loss_pause": _Rule(
        _allow_none(_parse_loss_pause),
        "losses in a row and minutes without an entry such as '2, 15', or none",
        _OURS,
        _format_loss_pause,
    ),
    "max_by_root": _Rule(
        _allow_none(_parse_max_by_root, ()),
        "roots, each with a whole number of contracts, such as 'MNQ 3, ES 1', or none",
        _OURS,
        _format_max_by_root,
    ),
    "forbid_opposite_sides": _Rule(_parse_yes_no, "yes or no", _FIRM, _format_yes_no),
    "warn_at": _Rule(_parse_share, _A_SHARE, _OURS),
    "block_at": _Rule(_parse_share, _A_SHARE, _OURS),
    "reduce_at": _Rule(_allow_none(_parse_share), f"{_A_SHARE}, or none", _OURS),
    "flatten_at": _Rule(_parse_share, _A_SHARE, _OURS),
}


def with_changes(book: RuleBook, changes: Mapping[str, str]) -> RuleBook:
    """Return the book with a person's changes; raise RefusedError with the rule, its value and a hint."""
    values: dict[str, Any] = {}
    for name, text in changes.items():
        rule = _RULES.get(name)
        if rule is None:
            raise RefusedError(f"unknown rule {name!r}: expected one of {', '.join(_RULES)}")
        try:
            values[name] = rule.parse(text.strip())
        except ValueError as error:
            raise RefusedError(f"invalid {name} {text!r}: expected {rule.expected}") from error
    try:
        return replace(book, **values)
    except ValueError as error:
        pairs = ", ".join(f"{name} {text!r}" for name, text in changes.items())
        raise RefusedError(f"{pairs}: {error}") from error


def describe_rules(book: RuleBook) -> list[tuple[str, str, str]]:
    """Return every rule of a book: its name, its value as `with_changes` parses it, and its source."""
    return [
        (name, _NONE if (value := getattr(book, name)) in (None, ()) else rule.format(value), _source_of(book, name))
        for name, rule in _RULES.items()
    ]


def _source_of(book: RuleBook, name: str) -> str:
    is_assumed = book.stage is Stage.PRACTICE and name == "max_loss_limit"
    return _CAUTIOUS if is_assumed else _RULES[name].source
