"""Of the closing orders of a position, whole brackets stay: the stop and the target that cancel each other."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.orders.order import OrderType, Role, Side
from shared.domain.orders.protection import ClosingOrder, ProtectionPlan, plan_protection

BRACKETS = [UUID(int=1000 + number) for number in range(4)]


def leg(
    number: int, role: Role, price: int, bracket: UUID | None, *, quantity: int = 1, side: Side = Side.SELL
) -> ClosingOrder:
    type_ = OrderType.STOP if role is Role.STOP_LOSS else OrderType.LIMIT
    return ClosingOrder(UUID(int=number), role, type_, side, quantity, price, is_ours=True, bracket=bracket)


def apply_plan(working: list[ClosingOrder], plan: ProtectionPlan) -> list[ClosingOrder]:
    """Return the orders that work once the venue has made every change."""
    sizes = dict(plan.shrinks)
    left = [one for one in working if one.id not in plan.cancels]
    return [replace(one, quantity=sizes.get(one.id, one.quantity)) for one in left]


def count_open(working: list[ClosingOrder], role: Role) -> int:
    return sum(one.quantity for one in working if one.role is role)


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, list[ClosingOrder]]:
    """Return a position and the legs of up to four brackets, some by half, and stops and targets that stand alone."""
    position = draw(st.integers(-5, 5))
    closing = Side.BUY if position < 0 else Side.SELL
    working: list[ClosingOrder] = []
    kinds = st.tuples(st.sampled_from([Role.STOP_LOSS, Role.TAKE_PROFIT]), st.sampled_from([*BRACKETS, None]))
    for number, (role, bracket) in enumerate(draw(st.lists(kinds, max_size=9)), start=1):
        if bracket is not None and any(one.role is role and one.bracket == bracket for one in working):
            continue
        side = draw(st.sampled_from([closing] * 4 + [closing.opposite]))
        price, quantity = draw(st.integers(1, 9)), draw(st.integers(1, 4))
        working.append(leg(number, role, price * 10, bracket, quantity=quantity, side=side))
    return position, working


@pytest.mark.parametrize(("position", "nearer"), [(1, 0), (-1, 1)])
def test_after_a_part_is_closed_the_stop_and_the_target_that_stay_are_of_one_bracket(
    position: int, nearer: int
) -> None:
    """Bought at 100 and 110, or sold: the second stop is nearer to the market of a long, the first target too."""
    side = Side.SELL if position > 0 else Side.BUY
    first = [
        leg(1, Role.STOP_LOSS, 90, BRACKETS[0], side=side),
        leg(2, Role.TAKE_PROFIT, 120, BRACKETS[0], side=side),
    ]
    second = [
        leg(3, Role.STOP_LOSS, 100, BRACKETS[1], side=side),
        leg(4, Role.TAKE_PROFIT, 130, BRACKETS[1], side=side),
    ]
    plan = plan_protection(position, [*first, *second])

    cancelled = [first, second][nearer]
    assert {one.id for one in cancelled} == set(plan.cancels)
    assert plan.is_covered
    assert () == plan.shrinks


def test_a_bracket_is_shrunk_in_both_its_legs() -> None:
    working = [
        leg(1, Role.STOP_LOSS, 90, BRACKETS[0], quantity=3),
        leg(2, Role.TAKE_PROFIT, 120, BRACKETS[0], quantity=3),
        leg(3, Role.STOP_LOSS, 100, BRACKETS[1]),
        leg(4, Role.TAKE_PROFIT, 130, BRACKETS[1]),
    ]
    assert {UUID(int=1): 1, UUID(int=2): 1} == dict(plan_protection(2, working).shrinks)


def test_a_stop_that_stands_alone_stays_for_what_no_bracket_covers() -> None:
    bracket = [leg(1, Role.STOP_LOSS, 90, BRACKETS[0]), leg(2, Role.TAKE_PROFIT, 120, BRACKETS[0])]
    protector = leg(3, Role.STOP_LOSS, 100, None, quantity=2)

    assert ProtectionPlan(shrinks=((protector.id, 1),)) == plan_protection(2, [*bracket, protector])
    assert ProtectionPlan(cancels=(protector.id,)) == plan_protection(1, [*bracket, protector])


@given(cases())
def test_the_stops_that_stay_cover_as_much_as_all_do(case: tuple[int, list[ClosingOrder]]) -> None:
    position, working = case
    closing = Side.BUY if position < 0 else Side.SELL
    plan = plan_protection(position, working)
    covering = count_open([one for one in working if one.side is closing], Role.STOP_LOSS)

    assert min(abs(position), covering) == count_open(apply_plan(working, plan), Role.STOP_LOSS)
    assert max(0, abs(position) - covering) == plan.missing


@given(cases())
def test_the_targets_that_stay_close_no_more_than_is_held(case: tuple[int, list[ClosingOrder]]) -> None:
    position, working = case
    left = apply_plan(working, plan_protection(position, working))

    assert abs(position) >= count_open(left, Role.TAKE_PROFIT)
    assert all(one.side is (Side.SELL if position > 0 else Side.BUY) for one in left)


@given(cases())
def test_no_target_of_a_bracket_closes_more_than_its_own_stop_or_outlives_it(
    case: tuple[int, list[ClosingOrder]],
) -> None:
    position, working = case
    closing = Side.BUY if position < 0 else Side.SELL
    left = apply_plan(working, plan_protection(position, working))
    for bracket in BRACKETS:
        legs = [one for one in working if one.bracket == bracket and one.side is closing]
        if {one.role for one in legs} != {Role.STOP_LOSS, Role.TAKE_PROFIT}:
            continue
        stop, target = (
            count_open([one for one in left if one.bracket == bracket], role)
            for role in (Role.STOP_LOSS, Role.TAKE_PROFIT)
        )
        assert target <= stop
        assert (stop == 0) is (target == 0)


@given(cases())
def test_a_plan_that_was_carried_out_leaves_nothing_to_change(case: tuple[int, list[ClosingOrder]]) -> None:
    position, working = case
    plan = plan_protection(position, working)

    assert ProtectionPlan(missing=plan.missing) == plan_protection(position, apply_plan(working, plan))


def test_a_stop_of_fixed_size_is_cancelled_with_its_bracket_once_another_one_covers_the_position() -> None:
    stop = leg(1, Role.STOP_LOSS, 90, BRACKETS[0], quantity=3)
    stop, target = replace(stop, is_size_fixed=True), leg(2, Role.TAKE_PROFIT, 120, BRACKETS[0], quantity=3)
    protector = leg(3, Role.STOP_LOSS, 90, None)

    assert ProtectionPlan(replacement=(stop.id, 1)) == plan_protection(1, [stop, target])
    assert ProtectionPlan(cancels=(stop.id, target.id)) == plan_protection(1, [stop, target, protector])
    assert ProtectionPlan() == plan_protection(3, [stop, target])


@pytest.mark.parametrize("price", [80, 90, 95])
def test_a_stop_of_fixed_size_leaves_a_stop_as_near_to_the_market(price: int) -> None:
    fixed = replace(leg(1, Role.STOP_LOSS, 90, None, quantity=3), is_size_fixed=True)
    other = leg(2, Role.STOP_LOSS, price, None)
    plan = plan_protection(1, [fixed, other])

    assert plan == (ProtectionPlan(cancels=(fixed.id,)) if price >= 90 else ProtectionPlan(replacement=(fixed.id, 1)))
    replacement = leg(3, Role.STOP_LOSS, 90, None)
    if price < 90:
        assert {fixed.id, other.id} == set(plan_protection(1, [fixed, other, replacement]).cancels)


def test_a_stop_whose_cancel_is_not_answered_takes_no_place_of_another() -> None:
    fixed = replace(leg(1, Role.STOP_LOSS, 90, None, quantity=3), is_size_fixed=True)
    leaving = replace(leg(2, Role.STOP_LOSS, 90, None), has_open_cancel=True)

    assert ProtectionPlan(replacement=(fixed.id, 1)) == plan_protection(1, [fixed, leaving])


def test_a_stop_whose_cancel_is_not_answered_keeps_its_place_from_no_other() -> None:
    """Its cancel may arrive any moment, and leaves its contract to the farther stop."""
    nearest, farthest = (leg(number, Role.STOP_LOSS, price, None) for number, price in ((1, 99), (3, 97)))
    leaving = replace(leg(2, Role.STOP_LOSS, 98, None), has_open_cancel=True)

    assert ProtectionPlan(cancels=(leaving.id,)) == plan_protection(2, [nearest, leaving, farthest])


def test_a_closing_order_on_the_wrong_side_is_cancelled_while_a_stop_of_fixed_size_waits_for_another() -> None:
    """The venue may reject the other one for long."""
    fixed = replace(leg(1, Role.STOP_LOSS, 90, None, quantity=3), is_size_fixed=True)
    wrong = leg(2, Role.EXIT, 90, None, side=Side.BUY)

    assert ProtectionPlan(cancels=(wrong.id,), replacement=(fixed.id, 1)) == plan_protection(1, [fixed, wrong])


@given(cases(), st.sets(st.integers(1, 9)))
def test_orders_of_fixed_size_end_as_exactly_the_stops_that_are_needed(
    case: tuple[int, list[ClosingOrder]], fixed: set[int]
) -> None:
    """Each plan is carried out as a guard does: what is placed works before anything that it replaces is cancelled."""
    position, working = case
    working = [replace(one, is_size_fixed=one.id.int in fixed) for one in working]
    closing = Side.BUY if position < 0 else Side.SELL
    for number in range(100, 100 + len(working) + 2):
        plan = plan_protection(position, working)
        assert not {one for one, _ in plan.shrinks} & {one.id for one in working if one.is_size_fixed}
        prices = {one.id: one.price for one in working}
        working = apply_plan(working, plan)
        if plan.missing:
            working.append(leg(number, Role.STOP_LOSS, 50, None, quantity=plan.missing, side=closing))
        if plan.replacement is not None:
            too_large, quantity = plan.replacement
            working.append(leg(number, Role.STOP_LOSS, prices[too_large], None, quantity=quantity, side=closing))
        assert abs(position) <= count_open(working, Role.STOP_LOSS)

    assert plan_protection(position, working).is_empty
    assert abs(position) == count_open(working, Role.STOP_LOSS)
    assert abs(position) >= count_open(working, Role.TAKE_PROFIT)
