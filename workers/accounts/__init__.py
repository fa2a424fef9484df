"""Jobs about trading accounts."""
