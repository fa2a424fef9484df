"""What the rules need to know of each account, as rows."""
