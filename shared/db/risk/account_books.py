"""The rule book of an account: its preset, what a payout has changed, and a person's changes."""

from collections.abc import Mapping
from dataclasses import replace

from shared.db.accounts.accounts import AccountRow
from shared.db.risk.account_presets import preset_of, with_usable_preset
from shared.domain.accounts.stage import Stage
from shared.domain.risk.rule_book import RuleBook
from shared.domain.risk.rule_changes import with_changes
from shared.errors import RefusedError


def book_of(account: AccountRow, *, max_quantity: int | None = None) -> RuleBook:
    """Return the rules of an account: its preset, with a person's changes.

    The preset is the one that a person chose, else that of first sight: it does not follow the balance. A payout that
    was found counts as the rule `has_been_paid`. `max_quantity`, the setting TICKWORK_MAX_QUANTITY, replaces that of
    the preset unless a person changed it. Raise RefusedError for changes that do not apply, such as of a rule that
    another version had.
    """
    preset = preset_of(account)
    if max_quantity is not None:
        preset = replace(preset, max_quantity=max_quantity)
    if account.last_paid_on is not None and preset.stage is Stage.EXPRESS:
        preset = replace(preset, has_been_paid=True)
    return with_changes(preset, account.rule_changes)


def usable_changes_of(account: AccountRow) -> dict[str, str]:
    """Return the changes of an account that apply; shares, which must rise, may only apply after others."""
    account = with_usable_preset(account)
    applied: dict[str, str] = {}
    while left := [name for name in account.rule_changes if name not in applied]:
        tried = ({**applied, name: account.rule_changes[name]} for name in left)
        more = next((changes for changes in tried if _applies(account, changes)), None)
        if more is None:
            break
        applied = more
    return applied


def usable_book_of(account: AccountRow, *, max_quantity: int | None = None) -> RuleBook:
    """Return the rules as `book_of` does, with the changes that apply; `invalid_changes` says why the others do not."""
    try:
        return book_of(account, max_quantity=max_quantity)
    except RefusedError as error:
        problem = str(error)
    usable = replace(with_usable_preset(account), rule_changes=usable_changes_of(account))
    book = book_of(usable, max_quantity=max_quantity)
    return replace(book, invalid_changes=problem)


def _applies(account: AccountRow, changes: Mapping[str, str]) -> bool:
    try:
        book_of(replace(account, rule_changes=changes))
    except RefusedError:
        return False
    return True
