"""The rule book, and its checks of accounts and entries; pure."""
