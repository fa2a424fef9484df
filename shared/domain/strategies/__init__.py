"""What a strategy decides, and the indicators it uses; pure."""
