"""The fleet's token as the hubs ask for it, without keeping the loop waiting."""

import asyncio
import logging
from datetime import timedelta

from shared.fleets import Queue
from shared.gateway.client import GatewayClient
from shared.gateway.ports import Call

log = logging.getLogger(__name__)


class FleetTokenSource:
    """Hands the hubs the token that every process shares."""

    def __init__(self, gateway: GatewayClient) -> None:
        self._gateway = gateway.for_queue(Queue.CRITICAL)

    async def token(self) -> str:
        """Return the token that all processes share."""
        return await asyncio.to_thread(self._gateway.token)

    async def renewed(self, refused: str) -> str:
        """Return another token than `refused`, which nobody shall use again."""
        return await asyncio.to_thread(self._gateway.renewed, refused)


class LoggedCalls:
    """Takes note in the log of the calls a feed makes: they are few."""

    def record(self, call: Call) -> None:
        """Say what was asked."""
        log.info("%s took %.0f ms: %s", call.endpoint, call.duration / timedelta(milliseconds=1), call.error or "fine")
