"""The venue's REST API: login, requests, reads."""
