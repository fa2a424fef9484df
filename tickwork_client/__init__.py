"""Read-only access to what Tickwork recorded, for notebooks: bars, trades, orders and jobs' results as DataFrames."""

from tickwork_client.client import TickworkClient, connect

__all__ = ["TickworkClient", "connect"]
