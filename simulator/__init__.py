"""Pretends to be the venue: its wire, its rules and its market, on this computer."""
