"""What the computer and each program of the stack use now: CPU, memory, load, and how long each has run."""

from dataclasses import asdict
from typing import Any

import psutil

from cli.client.stack import list_running_programs
from cli.local.processes.usage import UsageSampler


def read_system() -> dict[str, Any]:
    """Return the computer's CPU and memory in percent, its load, and a row per program with its children.

    It takes 0.3 s, over which the CPU is measured.
    """
    sampler, pids = UsageSampler(), dict(list_running_programs())
    sampler.sample(pids)
    cpu = psutil.cpu_percent(interval=0.3)
    return {
        "cpu_percent": cpu,
        "memory_percent": psutil.virtual_memory().percent,
        "load": [round(load, 2) for load in psutil.getloadavg()],
        "programs": [asdict(one) for one in sampler.sample(pids)],
    }
