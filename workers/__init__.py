"""The workers: programs and tasks that run the jobs of the ledger."""
