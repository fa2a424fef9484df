"""The venue's two realtime hubs: SignalR over WebSockets, for a user's own rows and for market data."""
