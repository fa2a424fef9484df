"""Gathers the fixtures; see tests/fixtures, one subject a file."""

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
