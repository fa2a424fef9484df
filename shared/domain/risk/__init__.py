"""The rule book, and what it says of an account or an entry; pure."""
