"""The bot that takes commands from Telegram: how far it has read, its users, its answers and what it follows."""
