"""The rule of the disk: a warning with little space, no entry with hardly any, and exits in any case."""

from dataclasses import replace

import pytest

from shared.domain.orders.order import Side
from shared.domain.risk.account_rules import check_account
from shared.domain.risk.disk_space import BLOCK_BELOW, WARN_BELOW, DiskSpace, find_fullest
from shared.domain.risk.findings import RuleAction
from tests.fixtures.account_risks import NOON, TODAY, held, risk, rules_of
from tests.fixtures.entry_rules import BOOK, BUY, violations_of


def disk(free_bytes: int) -> DiskSpace:
    return DiskSpace("laptop", "/home", free_bytes)


@pytest.mark.parametrize(
    ("free_bytes", "action"),
    [
        (WARN_BELOW, None),
        (WARN_BELOW - 1, RuleAction.WARN),
        (BLOCK_BELOW, RuleAction.WARN),
        (BLOCK_BELOW - 1, RuleAction.BLOCK),
    ],
)
def test_little_space_warns_and_hardly_any_blocks_entries(free_bytes: int, action: RuleAction | None) -> None:
    account = replace(risk(), fullest_disk=find_fullest([disk(2 * WARN_BELOW), disk(free_bytes)]))
    found = [one for one in check_account(account, BOOK, NOON, TODAY) if one.rule == "disk"]

    assert ([] if action is None else [action]) == [one.action for one in found]
    assert all("MB are free at /home on laptop" in one.message for one in found)
    assert (action is RuleAction.BLOCK) == ("disk" in rules_of(violations_of(now=account)))


def test_a_full_disk_lets_a_position_become_smaller() -> None:
    account = replace(risk(), holdings=(held("MNQ", 2),), fullest_disk=disk(0))

    assert ["disk"] == [rule for rule in rules_of(violations_of(BUY, now=account)) if rule == "disk"]
    assert "disk" not in rules_of(violations_of(replace(BUY, side=Side.SELL), now=account))


def test_the_fullest_of_several_disks_counts() -> None:
    assert disk(1) == find_fullest([disk(3), disk(1), disk(2)])
    assert find_fullest([]) is None
