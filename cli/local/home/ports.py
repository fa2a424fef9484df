"""The port of each program: chosen once and stored; a taken receiver's port is an error, never a change."""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.local.home.folder import Home
from shared.errors import SettingsError
from shared.private_file import write_private

DEFAULTS = {
    "receiver": 8700,
    "simulator": 8702,
    "simulator-control": 8703,
    "flower": 5555,
    "postgres": 54320,
    "valkey": 63790,
}
_LAST = 65535
_TIMEOUT_S = 5.0  # longest time that a killed stack's programs keep their ports


def choose_ports(home: Home, names: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Return the port of each name, and notes about changed ports for the operator.

    Raise SettingsError when the receiver's port is taken: alerts outside are posted to its URL.
    """
    file = home.root / "ports.json"
    stored = _load_ports(file)
    chosen: dict[str, int] = {}
    notes: list[str] = []
    for name in names:
        wanted = stored.get(name)
        if wanted is None:
            wanted = DEFAULTS[name]
            is_usable = wanted not in stored.values() and is_free(wanted)
        else:
            is_usable = wanted not in chosen.values() and _wait_until_free(wanted)
            if name == "receiver" and not is_usable:
                raise SettingsError(
                    f"port {wanted} is taken by another program, and your alerts are posted to it: stop that program "
                    f'(find it with lsof -i :{wanted}), or change "receiver" in {file} and the URLs of your alerts'
                )
        chosen[name] = stored[name] = wanted if is_usable else find_free_port()
        if not is_usable:
            notes.append(f"port {wanted} is taken: {name} uses {chosen[name]} from now on")
    write_private(file, json.dumps(stored, indent=2))
    return chosen, notes


def require_port(port: int, chosen: Mapping[str, int]) -> int:
    """Return the port that a person has set for Prometheus; raise SettingsError if it is taken, also by one of ours."""
    ours = next((name for name, other in chosen.items() if other == port), None)
    if ours is not None or not _wait_until_free(port):
        raise SettingsError(
            f"port {port} of TICKWORK_PROMETHEUS_PORT is taken by {ours or 'another program'}: "
            "`tickwork config set prometheus_port PORT` sets another one, and 0 none"
        )
    return port


def check_ports(prometheus_port: int) -> str:
    """Return which default ports are taken, for which `up` chooses others; raise SettingsError if Prometheus' is."""
    if prometheus_port:
        require_port(prometheus_port, DEFAULTS)
    taken = [f"{name} {port}" for name, port in DEFAULTS.items() if not is_free(port)]
    return f"in use, `up` will choose others: {', '.join(taken)}" if taken else "the default ports are free"


def is_free(port: int) -> bool:
    """Whether the port is free on this computer now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def find_free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _load_ports(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(port, int) and 0 < port <= _LAST for port in found.values()):
        raise SettingsError(
            f"{file} is damaged: repair or remove it; without it other ports may be chosen, and the URLs of your "
            "alerts contain the receiver's"
        )
    return found


def _wait_until_free(port: int) -> bool:
    until = time.monotonic() + _TIMEOUT_S
    while not is_free(port):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
