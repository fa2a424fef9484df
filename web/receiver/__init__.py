"""The public webhook: turns an alert into a durable job, and nothing else."""
