"""Many processes, one budget: the venue never has to say 429."""

import json
import subprocess
import sys
from collections import Counter

from shared.fleets import Queue
from tests.fixtures.venue import StartVenue

BARS, ACCOUNTS = "/api/History/retrieveBars", "/api/Account/search"
SECONDS = 34  # more than one window of bars


def test_five_processes_that_ask_as_fast_as_they_may_meet_no_429(start_venue: StartVenue, redis_url: str) -> None:
    venue = start_venue(limits=True)
    # Most requests take long on their way: the venue counts them later than we sent them.
    venue.faults(path=BARS, kind="delay_before", seconds=2, count=40)
    fleet = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fixtures.hammer", venue.url, redis_url, queue, str(SECONDS)],
            stdout=subprocess.PIPE,
        )
        for queue in Queue
    ]
    told = [json.loads(process.communicate(timeout=100)[0]) for process in fleet]
    statuses = sum((Counter(one["statuses"]) for one in told), Counter[str]())

    assert ["200"] == list(statuses)
    assert 45 < len(venue.requests(BARS)) <= 90
    assert 170 < len(venue.requests(ACCOUNTS)) <= 180
    assert all(one["limited"] > 0 for one in told)
