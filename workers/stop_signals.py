"""The end of a program that runs in a loop: it finishes what it does, and stops."""

import signal
from threading import Event


def stop_on_signals() -> Event:
    """Return an event that SIGTERM and SIGINT set; call it in the main thread."""
    stopping = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    return stopping
