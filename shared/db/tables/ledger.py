"""The tables of the ledger: workers, jobs, their keys, queues, the schedule and its slots."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Interval,
    Table,
    Text,
    Uuid,
    func,
    or_,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db.tables.metadata import at_column, metadata

UNFINISHED = ("queued", "running")  # the states of a job that has not ended

# One row per start of a program that runs jobs. Its heartbeat keeps the leases of all its jobs.
worker = Table(
    "worker",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("fleet", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("process_id", Integer, nullable=False),
    Column("version", Text, nullable=False),
    at_column("started_at", nullable=False, now=True),
    at_column("seen_at", nullable=False, now=True),
    at_column("ended_at"),
)

Index("ix_worker_started_at", worker.c.started_at)

job = Table(
    "job",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("arguments", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("deadline", Interval),
    at_column("run_at", nullable=False, now=True),
    at_column("expires_at"),
    Column("sequence_key", Text),
    Column("sequence_id", Uuid, nullable=False),  # position among the jobs of one sequence_key; a follow-up inherits it
    at_column("lease_until"),  # of the claim; the heartbeat of the worker makes the lease longer
    Column("claim_id", Uuid),  # the fencing token: random, so that no crash of Postgres gives it out twice
    Column("worker_id", Uuid),
    Column("process_id", Integer),
    at_column("cancel_requested_at"),
    at_column("enqueued_at", nullable=False, now=True),
    at_column("published_at"),
    at_column("started_at"),
    at_column("finished_at"),
    Column("result", JSONB),
    Column("error", Text),
    at_column("failing_since"),  # the first failure that asked for a retry
    Column("schedule", Text),  # the entry whose next slot supersedes the job while it is queued
    Column("parent_id", Uuid),  # no foreign key: finished rows are deleted in chunks
    Column("correlation_id", Uuid, nullable=False),
    CheckConstraint("state IN ('queued','running','succeeded','failed','dead','cancelled','expired')", name="state"),
    CheckConstraint("queue IN ('critical','high','normal','low','background')", name="queue"),
)

# As an OR of two equalities it is served by the partial indexes below; with `IN` every job would be read.
IS_UNFINISHED = or_(*(job.c.state == state for state in UNFINISHED))
HAS_TIME = or_(job.c.state == "running", job.c.expires_at.is_(None), job.c.expires_at > func.now())

Index("ix_job_due", job.c.queue, job.c.run_at, job.c.id, postgresql_where=text("state = 'queued'"))

Index("ix_job_expiring", job.c.expires_at, postgresql_where=text("state = 'queued' AND expires_at IS NOT NULL"))

Index(
    "ix_job_schedule",
    job.c.schedule,
    postgresql_where=text("schedule IS NOT NULL AND state = 'queued'"),
)

Index("ix_job_running", job.c.worker_id, postgresql_where=text("state = 'running'"))

Index(
    "ix_job_sequence_key",
    job.c.sequence_key,
    job.c.sequence_id,
    postgresql_where=text("sequence_key IS NOT NULL AND state IN ('queued','running')"),
)

# At most one running job per sequence_key, also when claims race.
Index(
    "uq_job_sequence_key_running",
    job.c.sequence_key,
    unique=True,
    postgresql_where=text("sequence_key IS NOT NULL AND state = 'running'"),
)

Index("ix_job_correlation", job.c.correlation_id)

Index("ix_job_finished", job.c.finished_at, postgresql_where=text("finished_at IS NOT NULL"))

# For listings; a job gets its entry when it ends, so that a claim costs nothing here.
Index("ix_job_name", job.c.name, job.c.id, postgresql_where=text("finished_at IS NOT NULL"))

Index(
    "ix_job_ended_badly",
    job.c.state,
    job.c.id,
    postgresql_where=text("state IN ('failed','dead','cancelled','expired')"),
)

job_key = Table(
    "job_key",
    metadata,
    Column("idempotency_key", Text, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    at_column("kept_until", nullable=False),
)

Index("ix_job_key_kept_until", job_key.c.kept_until)

# The state of each queue, kept by the relay and the workers.
queue_state = Table(
    "queue_state",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("queued", Integer, nullable=False, server_default="0"),
    Column("counted_at", DateTime(timezone=True)),
    Column("republished_count", BigInteger, nullable=False, server_default="0"),
    Column("canary_requested_at", DateTime(timezone=True)),
    Column("canary_done_at", DateTime(timezone=True)),
    Column("canary_wait", Interval),
)

schedule = Table(
    "schedule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("job_name", Text, nullable=False),
    Column("arguments", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("clock", Text, nullable=False),
    Column("every", Interval, nullable=False),
    Column("missed", Text, nullable=False, server_default="run_once"),
    Column("only_when_open", Boolean, nullable=False, server_default=text("false")),
    Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
    Column("last_slot", DateTime(timezone=True)),
    at_column("ran_at"),
    Column("last_job_id", Uuid),
    Column("defaults", JSONB),  # what the timetable in the code says; NULL in an entry that a person added
    at_column("stepped_back_at"),  # when the clock of Postgres was last found set back, and by how much
    Column("stepped_back_by", Interval),
    CheckConstraint("clock IN ('machine','market')", name="clock"),
    CheckConstraint("missed IN ('skip','run_once','catch_up')", name="missed"),
    CheckConstraint("every >= interval '1 second'", name="every"),
)

schedule_slot = Table(
    "schedule_slot",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slot", DateTime(timezone=True), primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("job_id", Uuid),
    at_column("recorded_at", nullable=False, now=True),
    CheckConstraint("outcome IN ('enqueued','skipped')", name="outcome"),
)

Index("ix_schedule_slot_recorded_at", schedule_slot.c.recorded_at)

# By the computer that can see the disk: an entry is checked by another one, perhaps.
disk_space = Table(
    "disk_space",
    metadata,
    Column("host", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("free_bytes", BigInteger, nullable=False),
    at_column("checked_at", nullable=False, now=True),
)
