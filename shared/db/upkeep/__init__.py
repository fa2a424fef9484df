"""The schedule, and what is deleted when it is old, as rows."""
