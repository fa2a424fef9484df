"""The rule books per stage and size, and the changes that a person makes."""

import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from shared.domain.accounts.stage import Stage
from shared.domain.market_data.product_family import family_of, is_equity_index
from shared.domain.risk.rule_book import PRESETS, SIZES, LossPause, NewsWindow, RuleBook, ScalingStep, preset_for
from shared.domain.risk.rule_changes import describe_rules, with_changes
from shared.errors import RefusedError
from tests.fixtures.account_risks import COMBINE, EXPRESS


def test_every_traded_stage_and_size_has_a_book() -> None:
    sold = {f"{stage}-{size}k" for stage in ("combine", "express") for size in (50, 100, 150)}
    practice = {f"practice-{size}k" for size in (50, 100, 150)}

    assert sold | {f"{name}-dll" for name in sold} | practice == set(PRESETS)
    assert {"2026-09"} == {book.version for book in PRESETS.values()}


@pytest.mark.parametrize(
    ("name", "figures"),  # maximum loss, daily loss, target, start, minis
    [
        ("combine-50k", (2_000, None, 3_000, 50_000, 5)),
        ("combine-100k", (3_000, None, 6_000, 100_000, 10)),
        ("combine-150k", (4_500, None, 9_000, 150_000, 15)),
        ("combine-50k-dll", (2_000, 1_000, 3_000, 50_000, 5)),
        ("combine-150k-dll", (4_500, 3_000, 9_000, 150_000, 15)),
        ("express-100k-dll", (3_000, 2_000, None, 0, 10)),
        ("express-50k", (2_000, None, None, 0, 5)),
        ("express-150k", (4_500, None, None, 0, 15)),
        ("practice-50k", (2_000, 1_000, None, 50_000, 5)),
        ("practice-100k", (3_000, 2_000, None, 100_000, 10)),
        ("practice-150k", (4_500, 3_000, None, 150_000, 15)),
    ],
)
def test_a_preset_has_the_figures_of_its_stage_and_size(name: str, figures: tuple[Decimal | int | None, ...]) -> None:
    book = PRESETS[name]

    assert figures == (
        book.max_loss_limit, book.daily_loss_limit, book.profit_target, book.starting_balance, book.max_minis,
    )  # fmt: skip


def test_consistency_is_55_percent_in_a_combine_and_no_rule_of_the_others() -> None:
    shares = {Stage.COMBINE: Decimal("0.55"), Stage.EXPRESS: None, Stage.PRACTICE: None}

    assert [shares[book.stage] for book in PRESETS.values()] == [book.consistency_share for book in PRESETS.values()]


@pytest.mark.parametrize(
    ("account_name", "balance", "expected"),
    [
        ("50KTC-V2-1", 0, "combine-50k"),
        ("100KTC-V2-1", 0, "combine-100k"),
        ("150KTC-V2-1", 50_000, "combine-150k"),  # by the name, not the balance
        ("50KTC-V2-DLL-1", 50_000, "combine-50k-dll"),
        ("150ktc-v2-dll-1", 50_000, "combine-150k-dll"),
        ("100KTC-SKU-1", 100_000, "combine-100k"),
        ("S1FEB2400000001", 98_000, "combine-100k"),  # no size in the name: the largest that this does not breach
        ("S1FEB2400000001", 50_000, "combine-50k"),
        ("EXPRESS-V2-1", 9_000, "express-50k"),  # no size in the name: the strictest
        ("EXPRESS-V2-1", -1_999, "express-50k"),
        ("EXPRESS-V2-1", -2_000, "express-100k"),  # a 50K would be breached here
        ("EXPRESS-V2-1", -9_000, "express-150k"),
        ("EXPRESS-V2-CT-DLL-1", 9_000, "express-50k-dll"),
        ("PRACTICEJUL2400000001", 150_000, "practice-150k"),
        ("PRAC-V2-1", 150_000, "practice-150k"),
        ("PRAC-V2-1", "145500.01", "practice-150k"),
        ("PRAC-V2-1", 145_500, "practice-100k"),  # a 150K would be breached here
        ("PRAC-V2-1", 97_000, "practice-50k"),
        ("PRAC-V2-1", 50_000, "practice-50k"),
        ("PRAC-V2-1", 3, "practice-50k"),
    ],
)
def test_a_preset_is_chosen_by_name_and_balance(account_name: str, balance: str, expected: str) -> None:
    assert expected == preset_for(account_name, Decimal(balance)).name


def test_an_account_of_unknown_stage_has_no_rules() -> None:
    with pytest.raises(RefusedError, match="unknown stage of account 'LIVE-7'"):
        preset_for("LIVE-7", Decimal(50_000))


@pytest.mark.parametrize(
    ("size", "scaling_plan"),
    [
        (50, {"-500": 2, "1499.99": 2, "1500": 3, "2000": 3, "2000.01": 5}),
        (100, {"0": 3, "1499.99": 3, "1500": 4, "2000": 4, "2000.01": 5, "3000": 5, "3000.01": 10}),
        (150, {"0": 3, "1500": 4, "2000.01": 5, "3000": 5, "3000.01": 10, "4500": 10, "4500.01": 15}),
    ],
)
def test_an_express_account_scales_and_a_shared_edge_belongs_to_the_lower_step(
    size: int, scaling_plan: dict[str, int]
) -> None:
    book = PRESETS[f"express-{size}k"]

    assert scaling_plan == {balance: book.max_micros(Decimal(balance)) // 10 for balance in scaling_plan}


def test_a_lower_count_of_minis_holds_on_every_step() -> None:
    assert [20, 30, 40] == [
        with_changes(EXPRESS, {"max_minis": "4"}).max_micros(Decimal(balance)) for balance in (0, 2_000, 9_000)
    ]


def test_a_mini_counts_ten_micros_a_heavy_micro_two_and_an_unknown_root_as_a_mini() -> None:
    assert [50, 5, 10, 10, 30] == [
        COMBINE.count_micros(root, quantity)
        for root, quantity in (("ES", 5), ("MNQ", 5), ("SIL", 5), ("QM", 1), ("XYZ", 3))
    ]


def test_a_mini_and_its_micro_are_one_family_and_an_unknown_root_is_its_own() -> None:
    assert ["NQ", "NQ", "CL", "SI", "6E", "ZN", "XYZ"] == [
        family_of(root) for root in ("NQ", "MNQ", "QM", "SIL", "E7", "ZN", "XYZ")
    ]
    assert [True, False, True] == [is_equity_index(root) for root in ("M2K", "MGC", "XYZ")]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("max_loss_limit", "1500", Decimal(1_500)),
        ("max_loss_limit", "none", None),
        ("daily_loss_limit", " 750.50 ", Decimal("750.50")),
        ("daily_loss_limit", "None", None),
        ("starting_balance", "0", Decimal(0)),
        ("has_been_paid", "yes", True),
        ("consistency_share", "0.5", Decimal("0.5")),
        ("max_minis", "3", 3),
        ("max_trades_per_day", "4", 4),
        ("trading_hours", "08:30-15:00", (time(8, 30), time(15))),
        ("trading_hours", "18:00 - 02:00", (time(18), time(2))),
        ("heavy_micros", "sil, mbt", ("SIL", "MBT")),
        ("heavy_micros", "none", ()),
        ("scaling_plan", "2, 3 from 1500, 5 above 2000", EXPRESS.scaling_plan),
        ("scaling_plan", "none", ()),
        (
            "news",
            "CPI, 2026-12-10T13:30Z, 5, 5; FOMC, 2026-12-09T13:00-06:00, 0, 30, micros",
            (
                NewsWindow("CPI", datetime(2026, 12, 10, 13, 30, tzinfo=UTC)),
                NewsWindow(
                    "FOMC", datetime(2026, 12, 9, 19, tzinfo=UTC), timedelta(0), timedelta(minutes=30),
                    blocks_micros=True,
                ),
            ),
        ),
        ("forbid_opposite_sides", "no", False),
        ("reduce_at", "0.8", Decimal("0.8")),
        ("flatten_at", "1", Decimal(1)),
        ("daily_profit_target", "600", Decimal(600)),
        ("daily_profit_target", "none", None),
        ("weekly_loss_limit", "1200.50", Decimal("1200.50")),
        ("max_consecutive_losses", "3", 3),
        ("loss_pause", "2, 15", LossPause(2, timedelta(minutes=15))),
        ("loss_pause", "none", None),
        ("max_by_root", "mnq 3,  ES 1", (("MNQ", 3), ("ES", 1))),
        ("max_by_root", "none", ()),
    ],
)  # fmt: skip
def test_a_rule_is_changed_by_text(name: str, text: str, expected: object) -> None:
    changed = with_changes(COMBINE, {name: text})

    assert expected == getattr(changed, name)
    assert COMBINE == replace(changed, **{name: getattr(COMBINE, name)}), "and nothing else"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("max_loss_limit", "1,500"),
        ("max_loss_limit", "-1500"),
        ("max_loss_limit", "0"),
        ("max_loss_limit", "NaN"),
        ("max_loss_limit", "1_500"),
        ("max_loss_limit", "1500.005"),
        ("max_loss_limit", "1e9"),
        ("max_loss_limit", "٣"),
        ("max_loss_limit", ""),
        ("starting_balance", "none"),
        ("consistency_share", "55"),
        ("consistency_share", "0"),
        ("max_minis", "0"),
        ("max_minis", "2.5"),
        ("max_quantity", "none"),
        ("max_orders_per_minute", "-1"),
        ("trading_hours", "08:30"),
        ("trading_hours", "08:30-24:00"),
        ("trading_hours", "08:30-08:30"),
        ("heavy_micros", "SIL, XYZ"),
        ("scaling_plan", "2, 3 beyond 1500"),
        ("scaling_plan", "0"),
        ("news", "CPI, 2026-12-10T13:30, 5, 5"),  # no offset
        ("news", "CPI, 2026-12-10T13:30Z"),
        ("news", ", 2026-12-10T13:30Z, 5, 5"),
        ("news", "CPI, 2026-12-10T13:30Z, 5, 5, minis"),
        ("news", "CPI, 2026-12-10T13:30Z, 5, 5000"),
        ("forbid_opposite_sides", "maybe"),
        ("warn_at", "none"),
        ("warn_at", "1.01"),
        ("daily_profit_target", "0"),
        ("loss_pause", "2"),
        ("max_by_root", "MNQ"),
        ("max_by_root", "MNQ 0"),
        ("max_by_root", "XYZ 3"),
        ("max_by_root", "MNQ 3, MNQ 2"),
        ("loss_pause", "0, 15"),
        ("loss_pause", "2, 1441"),
    ],
)
def test_an_invalid_value_is_refused_with_its_rule_and_a_hint(name: str, text: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(f"invalid {name} {text!r}: expected ")):
        with_changes(COMBINE, {name: text})


def test_an_unknown_rule_is_refused_with_the_list_of_rules() -> None:
    with pytest.raises(RefusedError, match=r"unknown rule 'max_loss': expected one of .*max_loss_limit.*"):
        with_changes(COMBINE, {"max_loss": "1500"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"warn_at": "0.8"}, r"warn_at '0.8': block_at 0.75 does not fit warn_at 0.8: expected shares"),
        ({"block_at": "0.95"}, "flatten_at 0.90 does not fit block_at 0.95"),
        ({"reduce_at": "0.7"}, "reduce_at 0.7 does not fit block_at 0.75"),
        ({"reduce_at": "0.95"}, "flatten_at 0.90 does not fit reduce_at 0.95"),
        ({"scaling_plan": "2 from 100, 3"}, "expected a scaling_plan with a count of minis"),
        ({"scaling_plan": "2, 3 from 2000, 4 from 1500"}, "expected a scaling_plan with a count of minis"),
        ({"scaling_plan": "2, 3 from 2000, 4 above 2000"}, "expected a scaling_plan with a count of minis"),
    ],
)
def test_inconsistent_rules_are_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        with_changes(COMBINE, changes)


def test_shares_may_be_equal_and_are_checked_after_all_changes() -> None:
    shares = {"warn_at": "1", "block_at": "1", "reduce_at": "1", "flatten_at": "1"}

    assert Decimal(1) == with_changes(COMBINE, shares).warn_at


@pytest.mark.parametrize("book", PRESETS.values(), ids=lambda book: book.name)
def test_a_described_book_can_be_parsed_again(book: RuleBook) -> None:
    full = with_changes(
        book,
        {
            "loss_pause": "2, 15",
            "max_by_root": "MNQ 3, ES 1",
            "trading_hours": "18:00-02:00",
            "news": "CPI, 2026-12-10T13:30Z, 5, 6, micros; NFP, 2026-12-04T13:30Z, 5, 5",
            "imported_news": "FOMC, 2026-12-09T19:00Z, 5, 5",
        },
    )
    for each in (book, full):
        values = {rule: value for rule, value, _ in describe_rules(each)}
        other = PRESETS[f"{each.stage.value.lower()}-{SIZES[-1] // 1000}k"]
        same = replace(other, name=each.name, size=each.size)

        assert each == with_changes(same, values)
        assert all(source for *_, source in describe_rules(each))


def test_the_max_loss_limit_of_a_practice_account_is_described_as_our_assumption() -> None:
    sources = {rule: source for rule, _, source in describe_rules(PRESETS["practice-50k"])}

    assert "our cautious assumption" in sources["max_loss_limit"]
    assert "TopstepX, 2026-09" == {rule: source for rule, _, source in describe_rules(COMBINE)}["max_loss_limit"]


def test_a_scaling_plan_may_have_a_single_step() -> None:
    assert 20 == replace(COMBINE, scaling_plan=(ScalingStep(2),)).max_micros(Decimal(0))
