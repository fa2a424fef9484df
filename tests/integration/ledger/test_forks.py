"""A process forked while a thread of its parent connects to Postgres, as a worker's pool does, can connect too."""

import subprocess
import sys

import pytest

WORKERS = 75
PROGRAM = f"""
import faulthandler, os, sys, threading, time, warnings
from shared.db.engine import make_engine

warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # the case under test

def new_engine():
    return make_engine(sys.argv[1], program="test", pool_size=1)

def connect(engine):
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")

def wait_for(pid, seconds):  # a hung process hangs for ever, so a long timeout costs nothing
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, 9)
    return "hangs"

def connect_and_stay(engine):  # as the lease keeper does: a thread that ends takes locks of the libraries too
    connect(engine)
    threading.Event().wait()

def work(number):
    first = threading.Thread(target=connect_and_stay, args=(new_engine(),), daemon=True)
    first.start()
    time.sleep(number % 15 / 1000)
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(50)
        connect(new_engine())
        os._exit(0)
    os._exit(0 if wait_for(child, 60) == 0 else 1)

new_engine()  # loads what engines need
for number in range({WORKERS}):
    worker = os.fork()
    if worker == 0:
        work(number)
    if (status := wait_for(worker, 80)) != 0:
        sys.exit(f"the child of worker {{number}} did not connect: {{status}}")
"""


@pytest.mark.timeout(600)
def test_a_child_forked_while_a_thread_connects_for_the_first_time_can_connect(database_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, database_url], capture_output=True, text=True, check=False, timeout=500
    )

    assert 0 == done.returncode, done.stderr
