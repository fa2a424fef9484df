"""Programs that answer HTTP requests."""
