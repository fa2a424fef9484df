"""The size of an Express account: no name tells it, so the smallest counts until a person names another."""

from shared.domain.accounts.stage import Stage, parse_size, parse_stage
from shared.domain.risk.rule_book import PRESETS, RuleBook


def describe_assumed_size(account_id: int, account_name: str, chosen: str | None, book: RuleBook) -> str | None:
    """Return why the size of an account is a guess and what to do; None if its name or a person has told it.

    The account of a larger size would be flattened, and marked as breached, long before the firm does.
    """
    if chosen is not None or parse_stage(account_name) is not Stage.EXPRESS or parse_size(account_name) is not None:
        return None
    has_daily_limit = book.daily_loss_limit is not None
    sizes = [
        one.name
        for one in PRESETS.values()
        if one.stage is Stage.EXPRESS and (one.daily_loss_limit is not None) is has_daily_limit
    ]
    return (
        f"account {account_name} ({account_id}): its size is not in its name, so the rules of {book.name} apply: "
        f"choose them or the right ones with `tickwork accounts rules {account_id} --preset {sizes[-1]}`, or "
        f"{', '.join(sizes[:-1])}"
    )
