"""The modules that tests preload before they fork programs exist, and do not store the time of their import."""

import subprocess
import sys
from importlib.util import find_spec

from tests.fixtures.forked import PRELOADED


def test_every_module_that_is_preloaded_exists() -> None:
    """The forkserver silently skips a module that it cannot import."""
    assert [] == [name for name in PRELOADED if find_spec(name) is None]


def test_no_worker_is_forked_with_the_time_at_which_its_modules_were_loaded() -> None:
    """The worker would count that time as time without its broker."""
    program = f"import sys, importlib; [importlib.import_module(name) for name in {PRELOADED}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "workers.leases" in done.stdout.split()
    assert "workers.heartbeat" not in done.stdout.split()
