"""How late the runs of the risk monitor began in the last minute."""

from datetime import timedelta

from shared.domain.risk.run_delays import DelayFigures, RunDelays


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


def test_the_figures_are_those_of_the_last_minute() -> None:
    delays = RunDelays()
    delays.add(seconds(0), seconds(9))
    delays.add(seconds(10), seconds(3))
    delays.add(seconds(20), seconds(1))

    assert DelayFigures(3, seconds(2), seconds(2), seconds(3)) == delays.add(seconds(65), seconds(2))


def test_a_first_run_is_a_minute_of_its_own() -> None:
    assert DelayFigures(1, seconds(0.5), seconds(0.5), seconds(0.5)) == RunDelays().add(seconds(7), seconds(0.5))
