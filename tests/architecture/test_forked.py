"""What tests preload before they fork programs exists: the forkserver skips silently what it cannot import."""

from importlib.util import find_spec

from tests.fixtures.forked import PRELOADED


def test_every_module_that_is_preloaded_exists() -> None:
    assert [] == [name for name in PRELOADED if find_spec(name) is None]
