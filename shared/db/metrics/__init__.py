"""Metrics of calls, jobs and queues, as rows."""
