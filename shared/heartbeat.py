"""A program's sign of life for its supervisor: a file it touches from its main loop while it works."""

from pathlib import Path

from shared.config import environment


def touch() -> None:
    """Touch the file that TICKWORK_HEARTBEAT_FILE names, if it names one."""
    name = environment().get("TICKWORK_HEARTBEAT_FILE")
    if name:
        Path(name).touch()
