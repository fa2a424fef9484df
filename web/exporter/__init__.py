"""Answers Prometheus: figures of the whole installation, from its database and its cache, at one address."""
