"""The rules of the firm that a person's changes make looser: Tickwork would then allow what the firm does not."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from shared.domain.risk.findings import dollars
from shared.domain.risk.rule_book import RuleBook

# Each rule of the firm of which more is looser, as None is, and how its value is told.
_CAPS: dict[str, Callable[[Decimal], str]] = {
    "max_loss_limit": dollars,
    "daily_loss_limit": dollars,
    "max_minis": str,
    "micros_per_mini": str,
}


def list_loosened(before: RuleBook, after: RuleBook, preset: RuleBook) -> list[str]:
    """Return each rule of the firm that a change makes looser than the preset, with both values."""
    return [*_list_raised_caps(before, after, preset), *_list_dropped(before, after, preset)]


def _list_raised_caps(before: RuleBook, after: RuleBook, preset: RuleBook) -> Iterator[str]:
    for name, tell in _CAPS.items():
        had, gets, firm = (getattr(book, name) for book in (before, after, preset))
        if firm is not None and gets != had and (gets is None or gets > firm):
            yield (
                f"{name} {'none' if gets is None else tell(gets)} is looser than the firm's {tell(firm)}: the firm "
                "still acts at its own, and Tickwork no longer stops before that"
            )


def _list_dropped(before: RuleBook, after: RuleBook, preset: RuleBook) -> Iterator[str]:
    if before.scaling_plan and preset.scaling_plan and not after.scaling_plan:
        yield "without the scaling_plan Tickwork allows more contracts than the firm does"
    if before.forbid_opposite_sides and not after.forbid_opposite_sides:
        yield "without forbid_opposite_sides your accounts may hedge each other: the firm closes such accounts for good"
