"""Let a person say which accounts trade a strategy, and keep one run per account."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE strategy_account (
            strategy text NOT NULL,
            account_id bigint NOT NULL CONSTRAINT fk_strategy_account_account_id REFERENCES account (id),
            is_on boolean NOT NULL,
            switched_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_strategy_account PRIMARY KEY (strategy, account_id)
        )
    """)
    op.execute("""
        ALTER TABLE strategy_run
            ADD COLUMN account_id bigint CONSTRAINT fk_strategy_run_account_id REFERENCES account (id),
            DROP CONSTRAINT pk_strategy_run,
            ADD CONSTRAINT uq_strategy_run_evaluation
                UNIQUE NULLS NOT DISTINCT (strategy, contract_id, closed_until_market_at, account_id)
    """)
    # Until now one account traded them all: the one of the signal.
    op.execute("UPDATE strategy_run SET account_id = signal.account_id FROM signal WHERE signal.id = signal_id")
