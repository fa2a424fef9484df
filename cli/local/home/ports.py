"""Which port each program listens on: chosen once, remembered, and for the receiver never changed in silence."""

import json
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from cli.local.home.folder import Home, write_private
from shared.errors import SettingsError

DEFAULTS = {
    "receiver": 8700,
    "simulator": 8702,
    "simulator-control": 8703,
    "flower": 5555,
    "postgres": 54320,
    "valkey": 63790,
}
_LAST = 65535
_TIMEOUT_S = 5.0  # what a killed stack's programs need to let go of their ports


def choose_ports(home: Home, names: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Return the port of each name, and what the operator must be told of changes.

    Raise SettingsError when the receiver's port is taken: its URL lives in somebody's TradingView.
    """
    file = home.root / "ports.json"
    remembered = _remembered(file)
    chosen: dict[str, int] = {}
    notes: list[str] = []
    for name in names:
        wanted = remembered.get(name)
        if wanted is None:
            wanted = DEFAULTS[name]
            is_ours = wanted not in remembered.values() and is_free(wanted)
        else:
            is_ours = wanted not in chosen.values() and _becomes_free(wanted)
            if name == "receiver" and not is_ours:
                raise SettingsError(
                    f"port {wanted} is taken by another program, and your alerts are posted to it: end that program "
                    f'(lsof -i :{wanted} names it), or change "receiver" in {file} and the URLs of your alerts'
                )
        chosen[name] = remembered[name] = wanted if is_ours else free_port()
        if not is_ours:
            notes.append(f"port {wanted} is taken, the {name} uses {chosen[name]} from now on")
    write_private(file, json.dumps(remembered, indent=2))
    return chosen, notes


def is_free(port: int) -> bool:
    """Whether a program could listen on the port of this computer now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _remembered(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(port, int) and 0 < port <= _LAST for port in found.values()):
        raise SettingsError(
            f"{file} is damaged: put it right, or remove it; other ports may be chosen then, and the receiver's is in "
            "the URLs of your alerts"
        )
    return found


def _becomes_free(port: int) -> bool:
    until = time.monotonic() + _TIMEOUT_S
    while not is_free(port):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
