"""What calls, jobs and queues add up to, as rows."""
