"""A stack whose receiver the internet reaches through a proxy, for tests of the public URL."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from shared.config import load_settings
from shared.ledger.job import Job
from tests.fixtures.receiver_process import ReceiverProcess
from tests.fixtures.runner_env import RunnerEnv
from tests.fixtures.wire_tap import WireTap
from tests.fixtures.worker_processes import process
from tests.integration.cli.shell import Shell
from workers.recording import Outcome
from workers.runner import Runner
from workers.wiring import open_runner

HOST = "alerts.example.com"
PUBLIC_URL = f"http://{HOST}"


@dataclass
class Reach:
    """A stack whose receiver the internet reaches through a proxy, and an operator at its shell."""

    shell: Shell
    receiver: ReceiverProcess
    proxy: WireTap
    runner_env: RunnerEnv
    runner: Runner

    @property
    def token(self) -> str:
        """The token of the stack's own hook."""
        return (self.shell.home / "probe-token").read_text()

    def doctor(self, *, expected: int) -> dict[str, dict[str, str]]:
        """Run `tickwork doctor` while a worker runs jobs; return its checks by name."""
        with self._working():
            checks = self.shell.json("doctor", expected=expected)["checks"]
        return {one["name"]: one for one in checks}

    def run(self, request: Job) -> Outcome:
        """Run one job to its end."""
        return self.runner.run(self.runner_env.ledger.enqueue(request).job_id)

    def public_url(self) -> Any:
        """Return what `tickwork status` says of the public URL, for scripts."""
        return self.shell.json("status", expected=0)["public_url"]

    def line(self) -> str:
        """Return the line of `tickwork status` about the public URL."""
        lines = self.shell.run("status").stdout.splitlines()
        return next(line for line in lines if line.startswith("Public URL"))

    @contextmanager
    def _working(self) -> Iterator[None]:
        stopping = threading.Event()

        def work() -> None:
            while not stopping.wait(0.02):
                for (job_id,) in self.receiver.rows("SELECT id FROM job WHERE state = 'queued'"):
                    self.runner.run(job_id)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(60)


@contextmanager
def open_reach(
    shell: Shell, receiver: ReceiverProcess, runner_env: RunnerEnv, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Reach]:
    """Let a stack run in the shell's home, with this receiver behind PUBLIC_URL."""
    home = Home(shell.home)
    home.prepare()
    environment = {
        "TICKWORK_HOME": str(shell.home),
        "DATABASE_URL": receiver.database_url,
        "REDIS_URL": redis_url,
        "TICKWORK_RECEIVER_URL": receiver.url,
        "TICKWORK_PUBLIC_URL": PUBLIC_URL,
    }
    lock = Lock(home.root)
    lock.acquire()
    write_state(home, {"pid": 1, "programs": [], "urls": {"receiver": receiver.url}, "environment": environment})
    runner_env.execute(
        "INSERT INTO risk_monitor (host, pid, active_since_at, ran_at, run_count, last_delay, p50_delay, max_delay) "
        "VALUES ('here', 1, now(), now() + interval '1 hour', 1, '0', '0', '0')"  # however slow the computer is
    )
    with (
        WireTap(receiver.url) as proxy,
        open_runner(load_settings(environment), process("low@here.1/1"), program="test") as runner,
    ):
        resolve_to(proxy.url, monkeypatch)
        yield Reach(shell, receiver, proxy, runner_env, runner)
    lock.close()


def resolve_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the name of the public URL, port 80, be a server of the test: the place of the internet's DNS."""
    getaddrinfo, (_, _, address) = socket.getaddrinfo, url.partition("://")
    host, _, port = address.partition(":")

    def resolve(name: str, *arguments: Any, **options: Any) -> Any:
        if name == HOST:
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, int(port)))]
        return getaddrinfo(name, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
