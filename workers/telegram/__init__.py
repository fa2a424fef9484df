"""The program that takes commands from Telegram: status, and with a code halt and flatten."""
