"""The fleet's token for the hubs, read in a thread so that the event loop does not wait."""

import asyncio

from shared.fleets import Queue
from shared.gateway.client import GatewayClient


class FleetTokenSource:
    """Gives the hubs the token that all processes share."""

    def __init__(self, gateway: GatewayClient) -> None:
        self._gateway = gateway.for_queue(Queue.CRITICAL)

    async def token(self) -> str:
        """Return the token that all processes share."""
        return await asyncio.to_thread(self._gateway.token)

    async def replace_token(self, refused: str) -> str:
        """Drop the token `refused` for all processes; return another."""
        return await asyncio.to_thread(self._gateway.replace_token, refused)
