"""Rules of metrics."""
