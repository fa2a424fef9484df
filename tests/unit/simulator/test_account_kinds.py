"""Every kind of account that the simulator opens has a name from which our own side reads the same."""

import pytest

from shared.domain.accounts.stage import Stage, has_daily_loss_limit, parse_size, parse_stage
from simulator.venue.accounts import KINDS, is_of_kind, kind_of, new_account
from simulator.venue.records import AccountStage


@pytest.mark.parametrize("name", KINDS)
def test_the_name_of_a_new_account_says_its_stage_size_and_daily_loss_limit(name: str) -> None:
    kind = KINDS[name]
    account = new_account(20002, "", kind)

    for spelling in (account.name, account.name.lower()):
        assert Stage[kind.stage.name] is parse_stage(spelling)
        assert parse_size(spelling) in {None, kind.size}
        assert kind.has_daily_loss_limit is has_daily_loss_limit(spelling)
    assert kind.has_daily_loss_limit is (account.daily_loss_limit is not None)
    assert [name] == [other for other in KINDS if is_of_kind(account, KINDS[other])]


@pytest.mark.parametrize(
    ("name", "begins", "daily_loss_limit"),
    [
        ("50KTC", "50KTC-V2-20002-", None),
        ("50KTC-DLL", "50KTC-V2-DLL-20002-", 1_000),
        ("150KTC-DLL", "150KTC-V2-DLL-20002-", 3_000),
        ("EXPRESS-DLL", "EXPRESS-V2-CT-DLL-20002-", 1_000),
        ("EXPRESSJUL", "EXPRESSJUL24", None),
        ("S1FEB", "S1FEB26", None),
    ],
)
def test_a_kind_has_the_name_and_the_daily_loss_limit_seen_at_the_venue(
    name: str, begins: str, daily_loss_limit: int | None
) -> None:
    account = new_account(20002, "", KINDS[name])

    assert account.name.startswith(begins)
    assert daily_loss_limit == account.daily_loss_limit


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid account size '7': expected one of 50000, 100000, 150000"):
        kind_of(AccountStage.COMBINE, 7)
