"""New accounts: the kind decides the name, the stage, the size, the starting balance and the limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from simulator.venue import rules
from simulator.venue.records import AccountRecord, AccountStage

_SIZE = 50_000


@dataclass(frozen=True, slots=True)
class AccountKind:
    """A kind of account: its stage and size, the beginning of its names, and whether a daily loss limit was bought."""

    stage: AccountStage
    size: int
    name_prefix: str
    has_daily_loss_limit: bool = False


# The families of names seen at the venue (venue.md section 7.6); the letters of a month and a year stand for any.
KINDS: Mapping[str, AccountKind] = {
    "PRAC": AccountKind(AccountStage.PRACTICE, _SIZE, "PRAC-V2-"),
    "PRACTICEJUL": AccountKind(AccountStage.PRACTICE, _SIZE, "PRACTICEJUL24"),
    "50KTC": AccountKind(AccountStage.COMBINE, 50_000, "50KTC-V2-"),
    "100KTC": AccountKind(AccountStage.COMBINE, 100_000, "100KTC-V2-"),
    "150KTC": AccountKind(AccountStage.COMBINE, 150_000, "150KTC-V2-"),
    "50KTC-DLL": AccountKind(AccountStage.COMBINE, 50_000, "50KTC-V2-DLL-", has_daily_loss_limit=True),
    "100KTC-DLL": AccountKind(AccountStage.COMBINE, 100_000, "100KTC-V2-DLL-", has_daily_loss_limit=True),
    "150KTC-DLL": AccountKind(AccountStage.COMBINE, 150_000, "150KTC-V2-DLL-", has_daily_loss_limit=True),
    "50KTC-SKU": AccountKind(AccountStage.COMBINE, 50_000, "50KTC-SKU-"),
    "S1FEB": AccountKind(AccountStage.COMBINE, _SIZE, "S1FEB26"),
    "EXPRESS": AccountKind(AccountStage.EXPRESS, _SIZE, "EXPRESS-V2-"),
    "EXPRESS-DLL": AccountKind(AccountStage.EXPRESS, _SIZE, "EXPRESS-V2-CT-DLL-", has_daily_loss_limit=True),
    "EXPRESSJUL": AccountKind(AccountStage.EXPRESS, _SIZE, "EXPRESSJUL24"),
}
_BASIC = {AccountStage.PRACTICE: "PRAC", AccountStage.EXPRESS: "EXPRESS"}


def kind_of(stage: AccountStage, size: int) -> AccountKind:
    """Return the kind of a stage with a size, without a bought limit; raise ValueError for an unknown size."""
    if size not in rules.SIZES:
        raise ValueError(f"invalid account size '{size}': expected one of {', '.join(map(str, rules.SIZES))}")
    basic = KINDS[_BASIC.get(stage, f"{size // 1000}KTC")]
    return AccountKind(stage, size, basic.name_prefix)


def new_account(id_: int, user: str, kind: AccountKind, balance: Decimal | None = None) -> AccountRecord:
    """Return a new account; `balance` replaces the starting balance of the stage, the limits stay those of the size."""
    starts = rules.starting_balance(kind.stage, kind.size) if balance is None else balance
    return AccountRecord(
        id=id_,
        name=_name(id_, kind.name_prefix),
        balance=starts,
        user=user.lower(),
        stage=kind.stage,
        size=kind.size,
        daily_loss_limit=rules.DAILY_LOSS_LIMIT[kind.size] if kind.has_daily_loss_limit else None,
        loss_state=rules.initial_loss_state(kind.stage, kind.size, starts),
    )


def is_of_kind(account: AccountRecord, kind: AccountKind) -> bool:
    """Whether the name of an account is one of the kind's."""
    rest = account.name.removeprefix(kind.name_prefix)
    return rest != account.name and rest[:1].isdigit()


def _name(id_: int, prefix: str) -> str:
    number = f"{id_ * 7919 % 10**8:08}"
    return f"{prefix}{id_}-{number}" if prefix.endswith("-") else f"{prefix}{number}"
