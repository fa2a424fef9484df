"""Gathers the fixtures; see tests/fixtures, one subject a file."""

import signal

# A shell that starts something in the background makes it deaf to Ctrl-C, and whatever that starts: some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = (
    "tests.fixtures.servers",
    "tests.fixtures.venue",
    "tests.fixtures.pit",
    "tests.fixtures.hubs",
    "tests.fixtures.recorded",
    "tests.fixtures.desk",
    "tests.fixtures.operator",
    "tests.fixtures.stack",
    "tests.fixtures.fleet",
    "tests.fixtures.workshop",
    "tests.fixtures.feeds",
)
