"""What changes something at the venue: orders and positions, each request sent once."""
