"""The job ledger: a transactional outbox in Postgres with idempotent claims, leases and fencing tokens.

A job is a row. The transaction that writes a change also inserts the jobs that the change causes, so both are committed
or neither is. After the commit a wake-up on the broker makes a worker claim the job.

Wake-ups may be lost, late or repeated: the relay publishes one again until the job is claimed, and a claim is one
UPDATE, which only one worker wins. An idempotency key makes a repeated request the same job.

A claim gives the worker a lease, which lasts while its heartbeat is fresh, and writes a random `claim_id`, the fencing
token. Every statement that ends or reschedules the job names the token: a worker that lost its lease cannot record a
result.
"""
