-- The comments of the tables of the ledger.

COMMENT ON TABLE worker IS 'One start of a program that runs jobs.';
COMMENT ON COLUMN worker.id IS 'The id of this start.';
COMMENT ON COLUMN worker.fleet IS 'The fleet, such as critical or bulk.';
COMMENT ON COLUMN worker.host IS 'The computer.';
COMMENT ON COLUMN worker.process_id IS 'The process id of the program.';
COMMENT ON COLUMN worker.version IS 'The version of Tickwork.';
COMMENT ON COLUMN worker.started_at IS 'When it started.';
COMMENT ON COLUMN worker.seen_at IS 'Its last heartbeat, which keeps the leases of all its jobs.';
COMMENT ON COLUMN worker.ended_at IS 'When it ended; empty: it runs, or was killed.';

COMMENT ON TABLE job IS
    'A request for work, with its state and outcome; the row is committed before any worker is woken.';
COMMENT ON COLUMN job.id IS 'The id of the job, in the order of creation.';
COMMENT ON COLUMN job.name IS 'The name of the task, such as orders.place_order.';
COMMENT ON COLUMN job.queue IS 'critical, high, normal, low or background.';
COMMENT ON COLUMN job.arguments IS 'The arguments of the request.';
COMMENT ON COLUMN job.state IS
    'queued, running, succeeded, failed, dead, cancelled or expired; docs/reference/states.md explains them.';
COMMENT ON COLUMN job.attempt IS 'How often it was started, reschedules for a limit or a closed market not counted.';
COMMENT ON COLUMN job.max_attempts IS 'How many attempts it has before it is dead.';
COMMENT ON COLUMN job.deadline IS 'The longest time that one attempt may run; empty: no limit.';
COMMENT ON COLUMN job.run_at IS 'It is not started before this instant.';
COMMENT ON COLUMN job.expires_at IS 'It is not started after this instant; empty: no limit.';
COMMENT ON COLUMN job.sequence_key IS 'Jobs that share it run one at a time, in order; empty: it waits for no other.';
COMMENT ON COLUMN job.sequence_id IS
    'Its place among the jobs of its sequence key; a follow-up has that of the job before.';
COMMENT ON COLUMN job.lease_until IS 'Until when the claim holds without a heartbeat; empty: not running.';
COMMENT ON COLUMN job.claim_id IS
    'The fencing token of the claim, which every write of its worker must name; empty: not running.';
COMMENT ON COLUMN job.worker_id IS 'The start of the program that runs it, or ran it last; empty: not started.';
COMMENT ON COLUMN job.process_id IS 'The process that runs it, or ran it last; empty: not started.';
COMMENT ON COLUMN job.cancel_requested_at IS 'When a person asked a running job to end; empty: never.';
COMMENT ON COLUMN job.enqueued_at IS 'When it was committed.';
COMMENT ON COLUMN job.published_at IS 'When its wake-up was last published; empty: not published.';
COMMENT ON COLUMN job.started_at IS 'When its last attempt started; empty: not started.';
COMMENT ON COLUMN job.finished_at IS 'When it ended; empty: it has not.';
COMMENT ON COLUMN job.result IS 'What it returned; empty: nothing.';
COMMENT ON COLUMN job.error IS 'The error of its last failure: a traceback, or a sentence; empty: none.';
COMMENT ON COLUMN job.failing_since IS 'The first failure that asked for a retry; empty: none.';
COMMENT ON COLUMN job.schedule IS
    'The entry of the schedule whose next slot cancels it while it is queued; empty: none.';
COMMENT ON COLUMN job.parent_id IS 'The job that enqueued it; empty: none.';
COMMENT ON COLUMN job.correlation_id IS 'Shared by all rows of one cause, such as an alert.';

COMMENT ON TABLE job_key IS 'An idempotency key: a second request with it gets the first one''s job.';
COMMENT ON COLUMN job_key.idempotency_key IS 'The key.';
COMMENT ON COLUMN job_key.job_id IS 'The job.';
COMMENT ON COLUMN job_key.kept_until IS 'When the key may be used again.';

COMMENT ON TABLE queue_state IS 'The state of a queue, as the relay keeps it; the view queue_now counts it anew.';
COMMENT ON COLUMN queue_state.queue IS 'The queue.';
COMMENT ON COLUMN queue_state.queued IS 'Jobs queued at counted_at.';
COMMENT ON COLUMN queue_state.counted_at IS 'When they were counted; empty: not yet.';
COMMENT ON COLUMN queue_state.republished_count IS 'Wake-ups that had to be published again, since the beginning.';
COMMENT ON COLUMN queue_state.canary_requested_at IS
    'When the last canary was sent through the queue; empty: none yet.';
COMMENT ON COLUMN queue_state.canary_done_at IS 'When a canary last came through; empty: none yet.';
COMMENT ON COLUMN queue_state.canary_wait IS 'How long it took; empty: none yet.';

COMMENT ON TABLE schedule IS 'An entry of the timetable, which people may change.';
COMMENT ON COLUMN schedule.name IS 'The name of the entry.';
COMMENT ON COLUMN schedule.job_name IS 'The job that it enqueues.';
COMMENT ON COLUMN schedule.arguments IS 'The arguments of the job.';
COMMENT ON COLUMN schedule.clock IS 'machine: the computer''s time; market: market time.';
COMMENT ON COLUMN schedule.every IS 'The period: a slot is a multiple of it.';
COMMENT ON COLUMN schedule.missed IS 'What happens to slots that were missed: skip, run_once or catch_up.';
COMMENT ON COLUMN schedule.only_when_open IS 'Whether it runs only while the market is open.';
COMMENT ON COLUMN schedule.is_enabled IS 'Whether it runs at all.';
COMMENT ON COLUMN schedule.last_slot IS
    'The newest slot that was dealt with, in the time of its clock; empty: none yet.';
COMMENT ON COLUMN schedule.ran_at IS 'When it last enqueued a job; empty: never.';
COMMENT ON COLUMN schedule.last_job_id IS 'That job; empty: none yet.';
COMMENT ON COLUMN schedule.defaults IS 'What the timetable in the code says; empty: a person added the entry.';
COMMENT ON COLUMN schedule.stepped_back_at IS 'When the clock of Postgres was last found set back; empty: never.';
COMMENT ON COLUMN schedule.stepped_back_by IS 'By how much; empty: never.';

COMMENT ON TABLE schedule_slot IS 'A slot of an entry of the schedule, and what became of it.';
COMMENT ON COLUMN schedule_slot.name IS 'The entry.';
COMMENT ON COLUMN schedule_slot.slot IS 'The instant, in the time of the entry''s clock.';
COMMENT ON COLUMN schedule_slot.outcome IS 'enqueued or skipped.';
COMMENT ON COLUMN schedule_slot.job_id IS 'The job; empty: skipped.';
COMMENT ON COLUMN schedule_slot.recorded_at IS 'When it was recorded.';

COMMENT ON TABLE disk_space IS 'The free space of a disk that the stack writes to.';
COMMENT ON COLUMN disk_space.host IS 'The computer.';
COMMENT ON COLUMN disk_space.path IS 'The folder.';
COMMENT ON COLUMN disk_space.free_bytes IS 'Free space in bytes.';
COMMENT ON COLUMN disk_space.checked_at IS 'When it was checked.';

COMMENT ON TABLE alembic_version IS 'The revision of the schema, by Alembic; one row.';
COMMENT ON COLUMN alembic_version.version_num IS 'The revision.';
