"""The tags of installations, and when another installation counts as active."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.domain.accounts.installation import OtherInstallation, installation_of, make_tag
from shared.domain.orders.order import Role
from shared.gateway.orders.order_request import LONGEST_TAG

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
OTHER = OtherInstallation("0badcafe", NOW - timedelta(hours=1))


def test_a_tag_names_the_installation_and_leaves_room_for_those_of_the_bracket() -> None:
    tag = make_tag("0badcafe", UUID(int=7), Role.ENTRY)

    assert len(f"{tag}-SL") <= LONGEST_TAG
    assert "0badcafe" == installation_of(tag) == installation_of(f"{tag}-SL") == installation_of(f"{tag}-TP")


def test_an_exit_names_no_installation_as_one_that_only_reads_may_send_it() -> None:
    assert installation_of(make_tag("0badcafe", UUID(int=7), Role.EXIT)) is None


@pytest.mark.parametrize("tag", [None, "", "b1-3f2a", "tw-1", f"tw-{UUID(int=7).hex}", "tw-0badcafe-7-SL"])
def test_any_other_tag_names_no_installation(tag: str | None) -> None:
    assert installation_of(tag) is None


def test_an_installation_counts_for_24_hours_after_its_newest_order() -> None:
    at = OTHER.ordered_market_at
    assert OTHER.is_active(NOW, None)
    assert OTHER.is_active(at + timedelta(hours=24, seconds=-1), None)
    assert not OTHER.is_active(at + timedelta(hours=24), None)


def test_an_installation_that_is_gone_counts_again_after_a_later_order() -> None:
    assert not OTHER.is_active(NOW, OTHER.ordered_market_at)
    assert OTHER.is_active(NOW, OTHER.ordered_market_at - timedelta(microseconds=1))
