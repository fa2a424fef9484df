"""The families of account names, and the daily loss limit that a name shows."""

import pytest

from shared.domain.accounts.stage import (
    FAMILIES,
    NameFamily,
    Stage,
    describe_unknown,
    has_daily_loss_limit,
    parse_stage,
)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.beginning)
def test_every_family_is_read_by_its_beginning_in_any_letter_case(family: NameFamily) -> None:
    for beginning in family.beginning.split(", "):
        name = beginning.replace("<month>", "OCT26") + "V2-1"

        assert {family.stage} == {parse_stage(spelling) for spelling in (name, name.lower(), name.title())}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("50KTC-V2-DLL-1", True),
        ("express-v2-ct-dll-1", True),
        ("100KTC-DLL", True),
        ("50KTC-V2-1", False),
        ("50KTC-DLLX-1", False),
    ],
)
def test_a_daily_loss_limit_was_bought_where_dll_is_a_part_of_the_name(name: str, expected: bool) -> None:  # noqa: FBT001  # a table of cases
    assert expected is has_daily_loss_limit(name)


def test_an_unknown_name_is_told_with_the_beginnings_that_are_known() -> None:
    assert Stage.UNKNOWN is parse_stage("LFA-1")
    text = describe_unknown("LFA-1")
    assert all(family.beginning in text for family in FAMILIES)
