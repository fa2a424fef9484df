"""Serves Flower, read-only and under known names: `python -m workers.flower --port 5555`."""

import argparse
import atexit
import logging
import signal
import sys
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from flower.app import Flower
from flower.options import default_options
from flower.urls import settings as web_settings
from flower.views import BaseHandler

from shared.config import environment, load_settings, replace_environment
from shared.log_setup import set_up_logging
from workers.app import make_app
from workers.flower.job_state import JobsState

# More tasks than a day at rest brings, at 3 kB each.
MAX_TASKS: Final = 10_000
_THIS_COMPUTER = ("localhost", "127.0.0.1", "[::1]")
_READS = ("GET", "HEAD")


class ReadOnlyFlower(Flower):  # type: ignore[misc]  # it has no types
    """Flower that refuses every request that could change something, or that asks for it by a foreign name.

    A page of another site, whose name leads to this computer, could otherwise read what Flower shows: DNS rebinding.
    """

    def __init__(self, names: Sequence[str], **options: Any) -> None:  # noqa: ANN401  # Flower's own
        self._names = {*_THIS_COMPUTER, *names}
        super().__init__(**options)

    def find_handler(self, request: Any, **more: Any) -> Any:  # noqa: ANN401  # Tornado's signature
        """Return what answers the request."""
        problem = None
        if request.host_name not in self._names:
            problem = HTTPStatus.FORBIDDEN, "unknown host name: open Flower as localhost, or set TICKWORK_FLOWER_HOSTS"
        elif request.method not in _READS:
            problem = HTTPStatus.METHOD_NOT_ALLOWED, "Flower is read-only here"
        if problem is not None:
            return self.get_handler_delegate(request, _Refusal, {"problem": problem})
        return super().find_handler(request, **more)


class _Refusal(BaseHandler):  # type: ignore[misc]  # it has no types
    def initialize(self, problem: tuple[HTTPStatus, str]) -> None:
        self._problem = problem

    def prepare(self) -> None:
        status, text = self._problem
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(f"{text}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="workers.flower", description="Shows the workers in a browser.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--purge-after", type=int, default=60, help="Seconds for which a worker that ended is listed.")
    chosen = parser.parse_args(arguments)
    # One of them would open the API, whatever the options say.
    replace_environment({name: value for name, value in environment().items() if not name.startswith("FLOWER_")})
    settings = load_settings()
    set_up_logging("ERROR")
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    options = default_options
    options.port, options.address = chosen.port, chosen.host
    options.read_only = True
    options.max_tasks = MAX_TASKS
    options.purge_offline_workers = chosen.purge_after
    served = ReadOnlyFlower(settings.flower_hosts, capp=make_app(settings), options=options, **web_settings)
    served.events.state = JobsState(max_workers_in_memory=options.max_workers, max_tasks_in_memory=MAX_TASKS)
    atexit.register(served.stop)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGINT, lambda *_: sys.exit())
    served.start_http_server()
    served.start()


if __name__ == "__main__":
    main()
