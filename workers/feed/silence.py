"""Which contracts have gone silent on an open socket, and what to do about each; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SILENT_AFTER_S = 30.0
_LONGEST_PAUSE_S = 600.0


@dataclass(slots=True)
class _Suspicion:
    tried_count: int
    again_at: float


@dataclass(slots=True)
class Silence:
    """Remembers what was tried. Seconds are of a steady clock.

    A thin contract may be silent for long with nothing wrong, so a subscription is asked for again first, which harms
    nobody; the connection, with all other contracts on it, is given up only if REST shows that there was trading.
    """

    after_s: float = SILENT_AFTER_S
    _suspected: dict[str, _Suspicion] = field(default_factory=dict)

    def look(self, heard_at: Mapping[str, float], in_session: Mapping[str, bool], now: float) -> list[tuple[str, bool]]:
        """Return the silent contracts whose turn it is, each with whether REST is to be asked about it."""
        found = []
        for contract_id, at in heard_at.items():
            if not in_session.get(contract_id, False) or now - at <= self.after_s:
                self._suspected.pop(contract_id, None)
                continue
            suspicion = self._suspected.setdefault(contract_id, _Suspicion(0, now))
            if now >= suspicion.again_at:
                found.append((contract_id, suspicion.tried_count > 0))
                suspicion.again_at = now + min(self.after_s * 2**suspicion.tried_count, _LONGEST_PAUSE_S)
                suspicion.tried_count += 1
        return found
