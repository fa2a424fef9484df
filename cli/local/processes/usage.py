"""What programs use, each with its child processes: CPU, memory, processes, and how long it has run."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from shared.clock import machine_now, monotonic

MIB = 2**20


@dataclass(frozen=True, slots=True)
class ProgramUsage:
    """What one program uses. `memory_mb` is resident: what processes share counts in each."""

    name: str
    cpu_percent: float  # of one core
    memory_mb: int
    processes: int
    uptime_s: float


class UsageSampler:
    """Reads programs again and again; the CPU is that since the call before."""

    def __init__(self) -> None:
        self._pids: Mapping[str, int] = {}
        self._roots: dict[int, int | None] = {}  # of each process of this computer, the program that it belongs to
        self._processes: dict[int, psutil.Process] = {}
        self._cpu_s: dict[int, float] = {}
        self._sampled_at: float | None = None

    def sample(self, pids: Mapping[str, int]) -> list[ProgramUsage]:
        """Return the usage of the programs that run, by name and process id; the CPU is 0 in the first call."""
        families = self._find_families(pids)
        now, cpu_s = monotonic(), dict[int, float]()
        elapsed_s = None if self._sampled_at is None else now - self._sampled_at
        found = []
        for name, pid in pids.items():
            used_s, memory, count = 0.0, 0, 0
            for process in families[pid]:
                with suppress(psutil.Error), process.oneshot():  # it may have ended
                    times = process.cpu_times()
                    memory += process.memory_info().rss
                    cpu_s[process.pid] = times.user + times.system
                    used_s += max(cpu_s[process.pid] - self._cpu_s.get(process.pid, 0.0), 0.0)
                    count += 1
            if count:
                cpu_percent = round(100 * used_s / elapsed_s, 1) if elapsed_s else 0.0
                found.append(ProgramUsage(name, cpu_percent, memory // MIB, count, self._read_uptime_s(pid)))
        self._cpu_s, self._sampled_at = cpu_s, now
        return found

    def _find_families(self, pids: Mapping[str, int]) -> defaultdict[int, list[psutil.Process]]:
        """Return the processes of each program; only those that are new are asked for their parents."""
        if pids != self._pids:
            self._pids, self._roots = dict(pids), {}
        running, programs = set(psutil.pids()), set(pids.values())
        self._roots = {pid: root for pid, root in self._roots.items() if pid in running}
        for pid in running - self._roots.keys():
            self._find_root(pid, programs)
        families = defaultdict[int, list[psutil.Process]](list)
        kept = dict[int, psutil.Process]()
        for pid, root in self._roots.items():
            if root is None:
                continue
            with suppress(psutil.Error):
                kept[pid] = self._processes.get(pid) or psutil.Process(pid)
                families[root].append(kept[pid])
        self._processes = kept
        return families

    def _find_root(self, pid: int, programs: Collection[int]) -> int | None:
        if pid in programs:
            self._roots[pid] = pid
        elif pid not in self._roots:
            self._roots[pid] = None  # also while its parents are looked for
            with suppress(psutil.Error):
                parent = psutil.Process(pid).ppid()
                self._roots[pid] = self._find_root(parent, programs) if parent else None
        return self._roots[pid]

    def _read_uptime_s(self, pid: int) -> float:
        process = self._processes.get(pid)
        with suppress(psutil.Error):
            if process is not None:
                return round(max(machine_now().timestamp() - process.create_time(), 0.0), 1)
        return 0.0
