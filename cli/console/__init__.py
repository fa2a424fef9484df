"""How commands speak: options, tables, JSON and errors."""
