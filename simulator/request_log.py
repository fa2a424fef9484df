"""The requests since the start: counts by path, and the latest bodies, for tests."""

from collections import Counter, defaultdict, deque

import msgspec

from simulator.client_json import read_json

_BODIES_KEPT = 500  # per path
_DECODER = msgspec.json.Decoder()


class RequestLog:
    """Records requests by path. Bodies of Auth paths contain a key and are not kept."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._bodies: defaultdict[str, deque[msgspec.Raw]] = defaultdict(lambda: deque(maxlen=_BODIES_KEPT))

    def record(self, path: str, body: bytes) -> None:
        """Count one request and keep its body if it is JSON."""
        self.counts[path] += 1
        if path.startswith("/api/Auth/"):
            body = b""
        try:
            has_content = read_json(body or b"null", _DECODER)
            self._bodies[path].append(msgspec.Raw(body) if has_content else msgspec.Raw(b"{}"))
        except msgspec.DecodeError:
            self._bodies[path].append(msgspec.Raw(b'"not JSON"'))

    def bodies(self, path: str) -> list[msgspec.Raw]:
        """Return the latest bodies of a path, oldest first; an empty one as {}."""
        return list(self._bodies[path])
