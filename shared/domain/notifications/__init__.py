"""What a trader is told of: kinds, channels and messages; pure."""
