"""The REST side of the venue: login, requests, reads."""
