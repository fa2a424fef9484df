"""Posts a test alert to the receiver as TradingView would, to prove that alerts arrive; it trades nothing."""

import json
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Engine

from shared.clock import machine_now, monotonic
from shared.db.alerts import probe_hook
from shared.db.alerts.hooks import hash_token
from shared.errors import ProbeFailedError
from shared.ids import new_id
from shared.private_file import write_private

_SENDER_TIMEOUT_S = 3.0  # TradingView cancels a request that takes longer
_ANY_IPV4 = ("0.0.0.0", 0)  # noqa: S104  # the source of a connection; TradingView does not use IPv6
_LONGEST_ANSWER = 65_536
_TOKEN_BYTES = 32
_RETRY_NEW_TOKEN_AFTER_S = (0.2, 0.5, 1.0)  # a receiver may learn of a new token a moment after its commit


@dataclass(frozen=True, slots=True)
class ArrivedAlert:
    """A test alert whose row is stored: the job that handles it, and the milliseconds until the answer came."""

    job_id: UUID
    duration_ms: int


def probe_receiver(engine: Engine, home: Path, url: str) -> ArrivedAlert:
    """Post a test alert to the receiver at `url`; raise ProbeFailedError unless it is accepted and stored in time.

    The token of its hook is kept in a private file in `home`; hook and file are created when they are missing.
    """
    token, is_new = _ensure_token(engine, home)
    pauses = iter(_RETRY_NEW_TOKEN_AFTER_S if is_new else ())
    status, answer, duration_s = _post(url, token)
    while status == HTTPStatus.NOT_FOUND and (pause := next(pauses, None)) is not None:
        Event().wait(pause)
        status, answer, duration_s = _post(url, token)
    job_id = _read_job_id(url, status, answer)
    if duration_s > _SENDER_TIMEOUT_S:
        raise ProbeFailedError(f"{url} answered after {duration_s:.1f} s: TradingView gives up after 3 s")
    with engine.connect() as connection:
        if not probe_hook.has_alert(connection, job_id):
            raise ProbeFailedError(f"{url} answered {status}, but the alert is not in this stack's database")
    return ArrivedAlert(job_id, round(duration_s * 1000))


def _ensure_token(engine: Engine, home: Path) -> tuple[str, bool]:
    """Return the token of the probe's hook, and whether it is new: a hook without a known token is given another."""
    file = home / "probe-token"
    try:
        with engine.connect() as connection:
            expected = probe_hook.read_token_hash(connection)
        token = _read_token(file)
        if token is not None and hash_token(token) == expected:
            return token, False
        new = secrets.token_urlsafe(_TOKEN_BYTES)
        with engine.begin() as connection:
            if not probe_hook.lock(connection, hash_token(new)):
                raise ProbeFailedError(_describe_missing_hook())
            token = _read_token(file)  # another program may have created it meanwhile
            if token is not None and hash_token(token) == probe_hook.read_token_hash(connection):
                return token, True
            home.mkdir(parents=True, exist_ok=True)
            write_private(file, new)
            probe_hook.replace_token(connection, hash_token(new))
    except OSError as error:
        raise ProbeFailedError(f"cannot keep the token of the test alerts in {file}: {error.strerror}") from None
    return new, True


def _describe_missing_hook() -> str:
    return (
        "no test alert can be sent: either no account is known yet (see `tickwork accounts`), or a hook of yours is "
        f"named {probe_hook.PROBE_HOOK_NAME}, which is the name of the stack's own: "
        f"`tickwork hooks remove {probe_hook.PROBE_HOOK_NAME}` frees it"
    )


def _read_token(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return None


def _post(url: str, token: str) -> tuple[int, bytes, float]:
    """Post a new test alert; return the status, the body and the seconds it took. It follows no redirect."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=_SENDER_TIMEOUT_S, source_address=_ANY_IPV4)
    alert = {"action": "test", "symbol": "MNQ", "timenow": machine_now().isoformat(), "id": f"probe {new_id()}"}
    began = monotonic()
    try:
        connection.request(
            "POST",
            f"{parts.path.rstrip('/')}/hooks/tv/{token}",
            json.dumps(alert),
            {"Content-Type": "application/json; charset=utf-8", "User-Agent": "tickwork-probe"},
        )
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST_ANSWER), monotonic() - began
    except (OSError, HTTPException, UnicodeError) as error:  # UnicodeError: a host that no name can be
        reason = str(error) or type(error).__name__
        raise ProbeFailedError(f"{url} does not answer over IPv4: {reason}") from None
    finally:
        connection.close()


def _read_job_id(url: str, status: int, answer: bytes) -> UUID:
    """Return the job of an accepted alert; the message quotes no body, which may repeat the path with the token."""
    if status == HTTPStatus.NOT_FOUND:
        raise ProbeFailedError(f"{url} answered 404: it does not lead to the receiver of this stack")
    if status != HTTPStatus.ACCEPTED:
        raise ProbeFailedError(f"{url} answered {status}: expected 202 from the receiver")
    try:
        accepted = json.loads(answer)
        job_id, is_spooled = UUID(accepted["job_id"]), accepted.get("spooled", False)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ProbeFailedError(f"{url} answered 202 without a job: another program than the receiver") from None
    if is_spooled:
        raise ProbeFailedError(
            f"{url} answered 202, but Postgres is away for the receiver, which keeps alerts in its spool: see its log"
        )
    return job_id
