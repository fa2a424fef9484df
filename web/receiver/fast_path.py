"""The fast path of an alert: past the router and its layers straight to the route that takes it."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from web.receiver.deadline import DatabaseDownError

_ALERTS = "/hooks/tv/"

Handler = Callable[[Request, Exception], Awaitable[Response]]


class FastPath:
    """An ASGI app in front of another: `post` answers an alert, the other app every other request.

    `database_down` answers an alert for which `post` raises DatabaseDownError, `our_fault` one for which it raises
    another error, which the server then logs.
    """

    def __init__(
        self,
        app: ASGIApp,
        post: Callable[[Request], Awaitable[Response]],
        *,
        database_down: Handler,
        our_fault: Handler,
    ) -> None:
        self._app = app
        self._post = post
        self._database_down = database_down
        self._our_fault = our_fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI 3 has it."""
        token = _token_of(scope)
        if token is None:
            await self._app(scope, receive, send)
            return
        scope["path_params"] = {"token": token}
        request = Request(scope, receive)
        try:
            answer = await self._post(request)
        except DatabaseDownError as error:
            answer = await self._database_down(request, error)
        except Exception as error:
            await (await self._our_fault(request, error))(scope, receive, send)
            raise
        await answer(scope, receive, send)


def _token_of(scope: Scope) -> str | None:
    """Return the token in the path of a POST to a hook; None for every other request."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path: str = scope["path"]
    if not path.startswith(_ALERTS):
        return None
    token = path[len(_ALERTS) :].removesuffix("/")
    return token if token and "/" not in token else None
