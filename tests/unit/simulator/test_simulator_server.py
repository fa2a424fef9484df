"""The simulator's listener: it answers without delay, and reports a taken port."""

import asyncio
import socket

import pytest

from shared.errors import SettingsError
from simulator.server import HOST, listen_on


def test_an_accepted_connection_sends_without_waiting_for_acknowledgements() -> None:
    async def is_without_delay() -> bool:
        accepted: asyncio.Queue[int] = asyncio.Queue()

        async def report_no_delay(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server_socket = writer.get_extra_info("socket")
            await accepted.put(server_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listen_on(0) as listener:
            server = await asyncio.start_server(report_no_delay, sock=listener)
            async with server:
                _, writer = await asyncio.open_connection(HOST, listener.getsockname()[1])
                no_delay = await accepted.get()
                writer.close()
                await writer.wait_closed()
        return no_delay != 0

    assert asyncio.run(is_without_delay())


def test_the_error_for_a_taken_port_names_the_port() -> None:
    with listen_on(0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on port {port}"):
            listen_on(port)
