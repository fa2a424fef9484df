"""The commands' access to a stack: its settings, its database, its workers, and risk."""
