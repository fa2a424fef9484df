"""What a process knows of the requests that all have counted in Redis, to count them again once Redis has lost them."""

NOTHING = ("", 0)


class RequestMemory:
    """The requests of one budget: those of the last answer of Redis, and our own since then."""

    def __init__(self) -> None:
        self._requests: dict[str, int] = {}  # with the time at which each counts as ended
        self._witness: tuple[str, int] = NOTHING

    @property
    def witness(self) -> tuple[str, int]:
        """A request that has ended, and when: as long as the window has room for it, Redis must know it."""
        return self._witness

    def learn(self, now: object, requests: object) -> None:
        """Replace what is known by Redis' requests and its time; the answer for a closed window has no requests."""
        if parts := str(requests).split():
            self._requests = {name: int(float(at)) for name, at in zip(parts[::2], parts[1::2], strict=True)}
            ended = [(at, name) for name, at in self._requests.items() if at <= int(str(now))]
            self._witness = max(ended)[::-1] if ended else NOTHING

    def end(self, request: str, at: object, *, was_known: bool) -> None:
        """Learn that a request of our own has ended. One that Redis did not know may be all that it has: no witness."""
        self._requests[request] = int(str(at))
        if was_known:
            self._witness = (request, self._requests[request])

    def list_for_restore(self) -> list[str | int]:
        """Return requests and times as RESTORE takes them."""
        return [part for pair in list(self._requests.items()) for part in pair]
