"""The simulator's web server."""

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send


class TwoDoors:
    """One program behind two ports: the venue, and its control."""

    def __init__(self, venue: Starlette, control: Starlette, control_port: int | None) -> None:
        self._venue = venue
        self._control = control
        self._control_port = control_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the application of the port it came in by."""
        port = (scope.get("server") or ("", None))[1]
        is_control = self._control_port is not None and port == self._control_port
        await (self._control if is_control else self._venue)(scope, receive, send)
