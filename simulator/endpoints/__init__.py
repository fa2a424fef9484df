"""What each endpoint answers, one subject a file."""
