"""The two SignalR hubs of the venue: connections and messages."""
