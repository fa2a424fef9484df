"""What may be asked of the workers: one frozen request type per job."""
