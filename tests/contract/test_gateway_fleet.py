"""Many processes, one budget: the venue never answers 429."""

from collections import Counter

import pytest

from shared.fleets import Queue
from shared.hot.rate_limit import WINDOWS
from simulator import limits
from tests.contract.conftest import OpenGateway
from tests.fixtures import hammer
from tests.fixtures.forked import fork_context
from tests.fixtures.processes import until
from tests.fixtures.venue import StartVenue

BARS, ACCOUNTS = "/api/History/retrieveBars", "/api/Account/search"


def set_strict_limits() -> None:
    """Make the venue's windows as short as ours, and its limits equal to ours."""
    bars, other = (
        (window.most, window.span.total_seconds())
        for window in (hammer.WINDOWS_HERE["bars"], hammer.WINDOWS_HERE["other"])
    )
    limits.PROFILES, limits.OTHER = {"on": bars}, other


@pytest.mark.timeout(240)
def test_five_processes_at_full_speed_get_no_429(
    start_venue: StartVenue, redis_url: str, open_gateway: OpenGateway
) -> None:
    venue = start_venue(limits=True, change=set_strict_limits)
    open_gateway(venue.venue()).ensure_token()  # otherwise they wait for each other's login
    # Most requests are delayed: the venue counts them later than we send them.
    venue.faults(path=BARS, kind="delay_before", seconds=0.5, count=40)
    is_over, results = fork_context.Event(), fork_context.SimpleQueue()
    arguments_of_all = [(venue.url, redis_url, queue, is_over, results) for queue in Queue]
    fleet = [fork_context.Process(target=hammer.main, args=arguments, daemon=True) for arguments in arguments_of_all]
    for process in fleet:
        process.start()

    def has_begun_another_window() -> bool:
        counts = venue.control("GET", "requests").json()["counts"]
        return all(
            counts.get(path, 0) > 1.5 * WINDOWS[budget].most for path, budget in ((BARS, "bars"), (ACCOUNTS, "other"))
        )

    try:
        until(has_begun_another_window, 100)
    finally:
        is_over.set()
        for process in fleet:
            process.join(100)
            process.kill()
    assert {0} == {process.exitcode for process in fleet}
    counts_of_all = [results.get() for _ in fleet]
    statuses = sum((statuses for statuses, _ in counts_of_all), Counter[str]())

    assert ["200"] == list(statuses)
    assert all(limited > 0 for _, limited in counts_of_all)
