"""Gateway clients with their real ports, for the simulator or for a venue with scripted answers."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import redis

from shared.config import VenueSettings
from shared.gateway.client import GatewayClient
from shared.gateway.ports import Call, Limiter
from shared.hot import logins
from shared.hot.logins import RedisTokenStore
from shared.hot.rate_limit import WINDOWS, NoLimiter, RedisLimiter, Window
from tests.fixtures.redis_client import LONG_TIMEOUT, connect_patiently
from tests.fixtures.venue import RunningVenue

MakeAnswer = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]
OpenGateway = Callable[..., GatewayClient]
# The windows of the limiter, but so long that no request leaves them during a test.
LASTING: Mapping[str, Window] = {name: replace(window, span=timedelta(hours=1)) for name, window in WINDOWS.items()}


@dataclass
class RecordingCallLog:
    """A CallLog that keeps every call."""

    calls: list[Call] = field(default_factory=list)

    def record(self, call: Call) -> None:
        self.calls.append(call)

    def of(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.endpoint == path]


class ScriptedVenue:
    """A venue on a real socket that answers each path as scripted, and records the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, MakeAnswer] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.says("/api/Auth/loginKey", token="a.scripted.token")
        venue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                venue.asked.append((self.path, body))
                status, headers, content = venue.answers[self.path](body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def says(self, path: str, **payload: Any) -> None:
        """Answer a path with success and this payload."""
        self.script_raw(path, json.dumps({"success": True, "errorCode": 0, "errorMessage": None, **payload}))

    def script_raw(self, path: str, text: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answers[path] = lambda _: (status, headers or {}, text.encode())

    def venue(self) -> VenueSettings:
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return VenueSettings(url=url, hubs_url="", user="a-trader", key="a-key-for-tests", is_simulator=True)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def calls() -> RecordingCallLog:
    return RecordingCallLog()


@pytest.fixture
def hot(redis_url: str) -> "Iterator[redis.Redis]":
    """An empty Redis."""
    client = connect_patiently(redis_url)
    yield client
    client.close()


@pytest.fixture
def open_gateway(hot: "redis.Redis", calls: RecordingCallLog, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenGateway]:
    """Open gateways that keep their token in Redis and wait as long for answers as a slow machine needs.

    The fixture closes them at the end.
    """
    monkeypatch.setattr(logins, "_LOGIN_AT_MOST_S", LONG_TIMEOUT.total_seconds())
    opened: list[GatewayClient] = []

    def open_one(
        venue: VenueSettings, *, limiter: Limiter | None = None, limits: bool = False, **options: Any
    ) -> GatewayClient:
        limiter = limiter or (RedisLimiter(hot, venue, windows=LASTING) if limits else NoLimiter())
        gateway = GatewayClient(
            venue, RedisTokenStore(hot, venue), limiter, calls, **{"timeout": LONG_TIMEOUT, **options}
        )
        opened.append(gateway)
        return gateway

    yield open_one
    for gateway in opened:
        gateway.close()


@pytest.fixture
def gateway(open_gateway: OpenGateway, venue: RunningVenue) -> GatewayClient:
    return open_gateway(venue.venue())


@pytest.fixture
def scripted() -> Iterator[ScriptedVenue]:
    venue = ScriptedVenue()
    yield venue
    venue.close()
