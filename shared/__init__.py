"""What every program stands on."""
