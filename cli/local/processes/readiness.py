"""Readiness checks of programs by HTTP."""

import json
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

_TIMEOUT_S = 2.0


def get_json(url: str) -> Any:  # noqa: ANN401  # the program's own JSON
    """Return the JSON that a program on this computer answers to a GET of `url`."""
    with _opener().open(url, timeout=_TIMEOUT_S) as answer:
        return json.load(answer)


def answers_http(url: str) -> bool:
    """Whether a program on this computer answers a GET of `url` with 200."""
    try:
        with _opener().open(url, timeout=_TIMEOUT_S) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (URLError, HTTPException, OSError, ValueError):  # another program may listen on the port
        return False


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
