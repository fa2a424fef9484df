"""When a program counts as hung, by the signs of life that the supervisor sees and the times of its looks."""

from collections.abc import Iterable

from cli.local.processes.hang import STARTING_S, HangWatch

ALLOWED_S = 30.0


def observe_every_two_seconds(watch: HangWatch, signs: Iterable[float | None], since: float = 0.0) -> float | None:
    """Return how long after the first look the program counts as hung; None if it does not."""
    for number, sign in enumerate(signs):
        watch.observe(sign, since + 2.0 * number)
        if watch.is_hung:
            return 2.0 * number
    return None


def silence(watch: HangWatch, since: float = 0.0) -> float | None:
    """Return how long a program that has shown life once may be silent."""
    return observe_every_two_seconds(watch, [since] * 2000, since)


def test_a_program_that_is_silent_for_longer_than_allowed_is_hung() -> None:
    assert ALLOWED_S + 2 == silence(HangWatch(ALLOWED_S))


def test_a_program_that_gives_signs_is_not_hung() -> None:
    assert observe_every_two_seconds(HangWatch(ALLOWED_S), map(float, range(1000))) is None


def test_a_sign_from_a_clock_that_steps_back_is_a_sign() -> None:
    assert observe_every_two_seconds(HangWatch(ALLOWED_S), [1e9 - number for number in range(1000)]) is None


def test_a_starting_program_has_longer() -> None:
    assert STARTING_S + 2 == observe_every_two_seconds(HangWatch(ALLOWED_S), [None] * 1000)


def test_a_check_that_fails_is_no_sign() -> None:
    assert ALLOWED_S + 2 == observe_every_two_seconds(HangWatch(ALLOWED_S), [1.0, *[None] * 1000])


def test_after_the_computer_slept_every_program_has_its_whole_time_again() -> None:
    watch = HangWatch(ALLOWED_S)
    assert observe_every_two_seconds(watch, [1.0] * 15) is None
    watch.observe(1.0, 8 * 3600.0)

    assert not watch.is_hung
    assert ALLOWED_S == observe_every_two_seconds(watch, [1.0] * 1000, 8 * 3600.0 + 2)


def test_each_restart_doubles_the_time_until_ten_minutes_of_life() -> None:
    watch, allowed = HangWatch(ALLOWED_S), []
    for _ in range(7):
        watch.begin()
        allowed.append(silence(watch))
        watch.restarts += 1
    assert [30, 60, 120, 240, 480, 960, 960] == [found - 2 for found in allowed if found is not None]

    watch.begin()
    observe_every_two_seconds(watch, map(float, range(302)))
    assert 0 == watch.restarts
