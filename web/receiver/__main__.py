"""Starts the receiver: python -m web.receiver --port P."""

from web.receiver.app import main

main()
