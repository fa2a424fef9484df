"""What the computer and each program of the stack use: CPU, memory and load."""

from typing import Any

import psutil

from cli.client.stack import list_running_programs


def read_system() -> dict[str, Any]:
    """Return the computer's CPU and memory in percent, its load, and a row per program with its children.

    It takes 0.3 s, over which the CPU is measured.
    """
    programs = []
    for name, pid in list_running_programs():
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            for process in family:
                process.cpu_percent()
        except psutil.Error:
            continue
        programs.append((name, family))
    cpu = psutil.cpu_percent(interval=0.3)
    return {
        "cpu_percent": cpu,
        "memory_percent": psutil.virtual_memory().percent,
        "load": [round(load, 2) for load in psutil.getloadavg()],
        "programs": [_read_usage(name, family) for name, family in programs],
    }


def _read_usage(name: str, family: list[psutil.Process]) -> dict[str, Any]:
    cpu, memory, count = 0.0, 0, 0
    for process in family:
        try:
            cpu += process.cpu_percent()
            memory += process.memory_info().rss
        except psutil.Error:  # the process has ended
            continue
        count += 1
    return {"name": name, "cpu_percent": round(cpu), "memory_mb": memory // 2**20, "processes": count}
