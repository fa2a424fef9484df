"""A supervisor for tests, with its printed lines."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.processes.program import Program
from cli.local.processes.supervisor import Child, Supervisor
from tests.fixtures.processes import until

SLEEPS = ["sleep", "600"]
DIES = ["sh", "-c", "exit 3"]


@dataclass
class SupervisorEnv:
    """A supervisor, its printed lines and the number of its state changes."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    changes: int = 0

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.folder, self.lines.append, self._count_change)

    def _count_change(self) -> None:
        self.changes += 1

    def run(
        self,
        name: str,
        command: list[str],
        *,
        is_ready: Callable[[], bool] = lambda: True,
        heartbeat: Path | None = None,
        hung_after_s: float | None = None,
        stop_timeout_s: float = 3.0,
        is_forked: bool = False,
    ) -> Child:
        """Start a program; by default it is ready at once."""
        environment = {"PATH": os.environ["PATH"]}
        return self.supervisor.add(
            Program(
                name,
                command,
                environment,
                is_ready,
                heartbeat=heartbeat,
                hung_after_s=hung_after_s,
                stop_timeout_s=stop_timeout_s,
                is_forked=is_forked,
            )
        )

    def step_until(self, condition: Callable[[], bool], expected: str) -> None:
        """Call `step`, as `up` does, until the condition holds."""

        def step() -> bool:
            self.supervisor.step()
            return condition()

        until(step, 60, expected)


def wait_for_another_restart(env: SupervisorEnv) -> None:
    """Wait until a program that dies later has been restarted, so that any due restart has happened."""
    other = env.run("other", DIES)
    env.step_until(lambda: other.restarts >= 1, "the other's restart")
