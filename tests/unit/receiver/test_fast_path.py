"""An alert takes the fast path, every other request the router, and each error of the fast path has its answer."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from web.receiver.deadline import DatabaseDownError
from web.receiver.fast_path import FastPath


async def route(scope: Scope, receive: Receive, send: Send) -> None:
    await Response("router")(scope, receive, send)


async def post(request: Request) -> Response:
    match request.path_params["token"]:
        case "down":
            raise DatabaseDownError("down")
        case "broken":
            raise ValueError("broken")
    return Response(f"alert {request.path_params['token']}")


async def answer_error(_: Request, error: Exception) -> Response:
    return Response(f"error {error}")


def body_of_answer(path: str, method: str = "POST", sent: list[MutableMapping[str, Any]] | None = None) -> str:
    sent = [] if sent is None else sent

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    app = FastPath(route, post, database_down=answer_error, our_fault=answer_error)
    asyncio.run(app(scope, receive, send))
    return text_of(sent)


def text_of(sent: list[MutableMapping[str, Any]]) -> str:
    return b"".join(message.get("body", b"") for message in sent).decode()


@pytest.mark.parametrize("path", ["/hooks/tv/token", "/hooks/tv/token/"])
def test_an_alert_takes_the_fast_path(path: str) -> None:
    assert "alert token" == body_of_answer(path)


@pytest.mark.parametrize(
    "path", ["/hooks/tv/", "/hooks/tv//", "/hooks/tv/a/b", "/hooks/tv/a//", "/hooks/tv", "/jobs/1"]
)
def test_another_path_takes_the_router(path: str) -> None:
    assert "router" == body_of_answer(path)


def test_another_method_takes_the_router() -> None:
    assert "router" == body_of_answer("/hooks/tv/token", "GET")


def test_without_a_database_the_alert_has_its_answer() -> None:
    assert "error down" == body_of_answer("/hooks/tv/down")


def test_an_unexpected_error_has_its_answer_and_is_raised_to_the_server_which_logs_it() -> None:
    sent: list[MutableMapping[str, Any]] = []
    with pytest.raises(ValueError, match="broken"):
        body_of_answer("/hooks/tv/broken", sent=sent)
    assert "error broken" == text_of(sent)
