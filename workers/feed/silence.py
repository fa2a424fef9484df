"""Detection of contracts that have gone silent on an open connection; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SILENT_AFTER_S = 30.0
_LONGEST_PAUSE_S = 600.0


@dataclass(slots=True)
class _Suspicion:
    attempt_count: int
    next_attempt_at: float


@dataclass(slots=True)
class Silence:
    """Finds silent contracts, and remembers the attempts to recover each. Seconds are of a monotonic clock.

    An illiquid contract may be silent for long with nothing wrong. So the first attempt only subscribes again, which is
    harmless; the connection, with all its other contracts, is dropped only if REST shows that there was trading.
    """

    after_s: float = SILENT_AFTER_S
    _suspected: dict[str, _Suspicion] = field(default_factory=dict)

    def find_due_contracts(
        self, received_at: Mapping[str, float], in_session: Mapping[str, bool], now: float
    ) -> list[tuple[str, bool]]:
        """Return the silent contracts due for an attempt, with whether to check each by REST (not the first time)."""
        due = []
        for contract_id, at in received_at.items():
            if not in_session.get(contract_id, False) or now - at <= self.after_s:
                self._suspected.pop(contract_id, None)
                continue
            suspicion = self._suspected.setdefault(contract_id, _Suspicion(0, now))
            if now >= suspicion.next_attempt_at:
                due.append((contract_id, suspicion.attempt_count > 0))
                suspicion.next_attempt_at = now + min(self.after_s * 2**suspicion.attempt_count, _LONGEST_PAUSE_S)
                suspicion.attempt_count += 1
        return due
