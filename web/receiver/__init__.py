"""The public webhook: it turns an alert into a durable job and does nothing else."""
