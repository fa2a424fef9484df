"""Decides a trade; sees only shared.domain."""
