"""How a new account begins: its name tells the stage, its stage the balance and the limits."""

from decimal import Decimal

from simulator.venue import rules
from simulator.venue.records import Account, Stage


def new_account(id_: int, user: str, stage: Stage, size: int, balance: Decimal | None = None) -> Account:
    """Return a new account; `balance` replaces the one its stage begins with, the limits stay those of the size."""
    if size not in rules.SIZES:
        raise ValueError(f"no account has the size {size}: give one of {', '.join(map(str, rules.SIZES))}")
    starts = rules.starting_balance(stage, size) if balance is None else balance
    return Account(
        id=id_,
        name=_name(id_, stage, size),
        balance=starts,
        user=user.lower(),
        stage=stage,
        size=size,
        standing=rules.first_standing(stage, size, starts),
    )


def programme(name: str) -> tuple[Stage, int]:
    """Return stage and size of a programme's short name: PRAC, 50KTC, 100KTC, 150KTC, EXPRESS or EXPRESS100K.

    Raise ValueError naming those there are.
    """
    found = _PROGRAMMES.get(name.strip().upper())
    if found is None:
        raise ValueError(f"no account is called {name!r}: give {', '.join(_PROGRAMMES)}")
    return found


_PROGRAMMES = {
    "PRAC": (Stage.PRACTICE, 150_000),
    "50KTC": (Stage.COMBINE, 50_000),
    "100KTC": (Stage.COMBINE, 100_000),
    "150KTC": (Stage.COMBINE, 150_000),
    "EXPRESS": (Stage.EXPRESS, 50_000),
    "EXPRESS100K": (Stage.EXPRESS, 100_000),
    "EXPRESS150K": (Stage.EXPRESS, 150_000),
}


def _name(id_: int, stage: Stage, size: int) -> str:
    family = {Stage.PRACTICE: "PRAC", Stage.COMBINE: f"{size // 1000}KTC", Stage.EXPRESS: "EXPRESS"}[stage]
    return f"{family}-V2-{id_}-{id_ * 7919 % 10**8:08}"
