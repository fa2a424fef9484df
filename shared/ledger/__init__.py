"""Jobs as rows: enqueue, claim, finish."""
