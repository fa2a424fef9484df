"""How to tell from outside that a program works."""

import json
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

from shared.heartbeat import is_fresh

_TIMEOUT_S = 2.0


def get_json(url: str) -> Any:  # noqa: ANN401  # whatever the program says of itself
    """Return what a program on this computer answers to a GET of `url`."""
    with _opener().open(url, timeout=_TIMEOUT_S) as answer:
        return json.load(answer)


def answers_http(url: str) -> bool:
    """Whether a GET of `url` on this computer is answered with 200."""
    try:
        with _opener().open(url, timeout=_TIMEOUT_S) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (URLError, HTTPException, OSError, ValueError):  # also what a stranger on this port may say
        return False


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def beats(heartbeat: Path) -> bool:
    """Whether the program that touches `heartbeat` gave a sign of life lately."""
    return is_fresh(heartbeat)
