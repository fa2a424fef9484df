"""New accounts: the stage decides the name, the starting balance and the limits."""

from collections.abc import Mapping
from decimal import Decimal

from simulator.venue import rules
from simulator.venue.records import AccountRecord, AccountStage

# The kinds of account by the first part of their names, with the stage and the size.
FAMILIES: Mapping[str, tuple[AccountStage, int]] = {
    "PRAC": (AccountStage.PRACTICE, 50_000),
    "50KTC": (AccountStage.COMBINE, 50_000),
    "100KTC": (AccountStage.COMBINE, 100_000),
    "150KTC": (AccountStage.COMBINE, 150_000),
    "EXPRESS": (AccountStage.EXPRESS, 50_000),
}


def new_account(id_: int, user: str, stage: AccountStage, size: int, balance: Decimal | None = None) -> AccountRecord:
    """Return a new account; `balance` replaces the starting balance of the stage, the limits stay those of the size.

    Raise ValueError for an unknown size.
    """
    if size not in rules.SIZES:
        raise ValueError(f"invalid account size '{size}': expected one of {', '.join(map(str, rules.SIZES))}")
    starts = rules.starting_balance(stage, size) if balance is None else balance
    return AccountRecord(
        id=id_,
        name=_name(id_, stage, size),
        balance=starts,
        user=user.lower(),
        stage=stage,
        size=size,
        loss_state=rules.initial_loss_state(stage, size, starts),
    )


def family_of(account: AccountRecord) -> str:
    """Return the kind of an account: a key of FAMILIES."""
    return account.name.partition("-")[0]


def _name(id_: int, stage: AccountStage, size: int) -> str:
    family = {
        AccountStage.PRACTICE: "PRAC",
        AccountStage.COMBINE: f"{size // 1000}KTC",
        AccountStage.EXPRESS: "EXPRESS",
    }[stage]
    return f"{family}-V2-{id_}-{id_ * 7919 % 10**8:08}"
