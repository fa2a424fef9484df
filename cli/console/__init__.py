"""The terminal: options, tables, JSON and errors."""
