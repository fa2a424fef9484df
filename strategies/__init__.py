"""Trading strategies: each decides on closed bars, and imports shared.domain only."""
