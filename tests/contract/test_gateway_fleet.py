"""Many processes, one budget: the venue never has to say 429."""

from collections import Counter

import pytest

from shared.fleets import Queue
from shared.hot.rate_limit import WINDOWS
from simulator import limits
from tests.contract.conftest import OpenGateway
from tests.fixtures import hammer
from tests.fixtures.forked import forks
from tests.fixtures.processes import until
from tests.fixtures.venue import StartVenue

BARS, ACCOUNTS = "/api/History/retrieveBars", "/api/Account/search"


def strict() -> None:
    """Let the venue's windows slide as fast as ours, and allow no request more than we take."""
    bars, other = (
        (window.most, window.span.total_seconds())
        for window in (hammer.WINDOWS_HERE["bars"], hammer.WINDOWS_HERE["other"])
    )
    limits.PROFILES, limits.OTHER = {"on": bars}, other


@pytest.mark.timeout(240)
def test_five_processes_that_ask_as_fast_as_they_may_meet_no_429(
    start_venue: StartVenue, redis_url: str, open_gateway: OpenGateway
) -> None:
    venue = start_venue(limits=True, change=strict)
    open_gateway(venue.venue()).get_ready()  # else they wait for one another's login
    # Most requests take long on their way: the venue counts them later than we sent them.
    venue.faults(path=BARS, kind="delay_before", seconds=0.5, count=40)
    is_over, told = forks.Event(), forks.SimpleQueue()
    asks = [(venue.url, redis_url, queue, is_over, told) for queue in Queue]
    fleet = [forks.Process(target=hammer.main, args=arguments, daemon=True) for arguments in asks]
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
    came = [told.get() for _ in fleet]
    statuses = sum((statuses for statuses, _ in came), Counter[str]())

    assert ["200"] == list(statuses)
    assert all(limited > 0 for _, limited in came)
