"""The rules of trading; pure: no I/O, no clock, no random, no environment."""
