"""What every program needs to keep running; pure."""
