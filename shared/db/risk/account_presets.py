"""The preset of an account: one that a person chose, else that of first sight, and what counts if it is unknown."""

from dataclasses import replace

from shared.db.accounts.accounts import AccountRow
from shared.domain.risk.rule_book import PRESETS, RuleBook, first_preset, preset_for
from shared.errors import RefusedError


def preset_of(account: AccountRow) -> RuleBook:
    """Return the preset; raise RefusedError for one that this version does not have."""
    name = account.preset or account.first_preset
    if name is None:
        return preset_for(account.name, account.balance)
    if name not in PRESETS:
        raise RefusedError(
            f"unknown preset {name!r} of account {account.id}, which another version had: choose one with "
            f"`tickwork accounts rules {account.id} --preset NAME`, of {', '.join(PRESETS)}"
        )
    return PRESETS[name]


def with_usable_preset(account: AccountRow) -> AccountRow:
    """Return the account with what is watched in place of an unknown preset: of first sight, else by its balance."""
    known = [name for name in (account.preset, account.first_preset) if name in PRESETS]
    return replace(account, preset=known[0] if known else first_preset(account.name, account.balance))
