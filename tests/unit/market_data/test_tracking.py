"""The roots that are tracked: in the order of the setting, and how another one is added."""

from shared.domain.market_data.tracking import describe_untracked, sort_roots


def test_the_roots_keep_the_order_of_the_setting() -> None:
    assert ["MNQ", "MES", "6E", "M6E"] == sort_roots({"M6E", "6E", "MES", "MNQ"}, ("MNQ", "MGC", "MES"))
    assert ["MES", "MNQ"] == sort_roots({"MNQ", "MES"}, ())


def test_a_root_that_is_not_tracked_is_added_to_those_that_are() -> None:
    assert (
        "ES is not tracked, only MNQ, MES: run `tickwork config set contracts MNQ,MES,ES`, then `tickwork down` and "
        "`tickwork up`" == describe_untracked("ES", ["MNQ", "MES"])
    )
