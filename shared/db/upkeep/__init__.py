"""Rows of the schedule, and the deletion of old rows."""
