"""The simulator's listener: answers leave at once, and a taken port is said to be taken."""

import asyncio
import socket

import pytest

from shared.errors import SettingsError
from simulator.server import HOST, listen_on


def test_what_is_accepted_sends_its_answers_without_waiting_for_acknowledgements() -> None:
    async def is_without_delay() -> bool:
        accepted: asyncio.Queue[int] = asyncio.Queue()

        async def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            own = writer.get_extra_info("socket")
            await accepted.put(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listen_on(0) as listener:
            server = await asyncio.start_server(look, sock=listener)
            async with server:
                _, writer = await asyncio.open_connection(HOST, listener.getsockname()[1])
                found = await accepted.get()
                writer.close()
                await writer.wait_closed()
        return found != 0

    assert asyncio.run(is_without_delay())


def test_a_taken_port_is_named() -> None:
    with listen_on(0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} cannot be listened on"):
            listen_on(port)
