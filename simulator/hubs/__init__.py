"""The venue's two realtime hubs: SignalR over WebSockets, one for a user's rows, one for market data."""
