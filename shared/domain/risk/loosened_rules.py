"""The rules of the firm that a person's changes make looser: Tickwork would then allow what the firm does not."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from shared.domain.risk.account_risk import loss_limit_level_for
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
    return [
        *_list_raised_caps(before, after, preset),
        *_list_lower_levels(before, after, preset),
        *_list_more_contracts(before, after, preset),
        *_list_dropped(before, after, preset),
    ]


def _list_raised_caps(before: RuleBook, after: RuleBook, preset: RuleBook) -> Iterator[str]:
    for name, tell in _CAPS.items():
        had, gets, firm = (getattr(book, name) for book in (before, after, preset))
        if firm is not None and gets != had and (gets is None or gets > firm):
            yield (
                f"{name} {'none' if gets is None else tell(gets)} is looser than the firm's {tell(firm)}: the firm "
                "still acts at its own, and Tickwork no longer stops before that"
            )


def _list_lower_levels(before: RuleBook, after: RuleBook, preset: RuleBook) -> Iterator[str]:
    """Yield if the loss limit level is lower than the firm's by what it depends on besides the limit."""
    if (before.starting_balance, before.has_been_paid) == (after.starting_balance, after.has_been_paid):
        return
    start = preset.starting_balance
    for mark in (start, start + (preset.max_loss_limit or 0)):
        level, firm = loss_limit_level_for(after, mark), loss_limit_level_for(preset, mark)
        if firm is not None and (level is None or level < firm):
            yield (
                f"starting_balance {dollars(after.starting_balance)} puts the loss limit level of a highest balance of "
                f"{dollars(mark)} at {dollars(level)}: the firm's is {dollars(firm)}"
            )
            return


def _list_more_contracts(before: RuleBook, after: RuleBook, preset: RuleBook) -> Iterator[str]:
    """Yield if another scaling plan, or lighter micros, allow more than the firm does."""
    if after.scaling_plan and preset.scaling_plan and after.scaling_plan != before.scaling_plan:
        balances = [step.balance or Decimal(0) for plan in (after, preset) for step in plan.scaling_plan]
        for balance in sorted({*balances, *(one + 1 for one in balances)}):
            most, firm = after.max_micros(balance), preset.max_micros(balance)
            if most > firm:
                yield (
                    f"the scaling_plan allows {most} micros with a balance of {dollars(balance)} at the start of the "
                    f"day: the firm allows {firm}"
                )
                break
    lighter = [
        root for root in preset.heavy_micros if after.count_micros(root, 1) < preset.count_micros(root, 1)
        and after.count_micros(root, 1) != before.count_micros(root, 1)
    ]  # fmt: skip
    if lighter:
        yield f"{', '.join(lighter)} weigh more than one micro at the firm, and would not here"


def _list_dropped(before: RuleBook, after: RuleBook, preset: RuleBook) -> Iterator[str]:
    if before.scaling_plan and preset.scaling_plan and not after.scaling_plan:
        yield "without the scaling_plan Tickwork allows more contracts than the firm does"
    if before.forbid_opposite_sides and not after.forbid_opposite_sides:
        yield "without forbid_opposite_sides your accounts may hedge each other: the firm closes such accounts for good"
