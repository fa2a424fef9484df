"""Clients of the venue's two SignalR hubs: connections and messages."""
