"""The house: ledger, market, accounts, orders, and what happened."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('account',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('balance', sa.Numeric(), nullable=False),
    sa.Column('can_trade', sa.Boolean(), nullable=False),
    sa.Column('is_simulated', sa.Boolean(), nullable=True),
    sa.Column('halted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('halt_reason', sa.Text(), nullable=True),
    sa.Column('reconciled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account'))
    )
    op.create_table('api_call',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('endpoint', sa.Text(), nullable=False),
    sa.Column('method', sa.Text(), nullable=False),
    sa.Column('called_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('duration_ms', sa.Numeric(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('job_id', sa.Uuid(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_call'))
    )
    op.create_index('ix_api_call_called_at', 'api_call', ['called_at'], unique=False)
    op.create_table('contract',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('root', sa.Text(), nullable=False),
    sa.Column('tick_size', sa.Numeric(), nullable=False),
    sa.Column('tick_value', sa.Numeric(), nullable=False),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.Column('is_tracked', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('held', postgresql.TSTZMULTIRANGE(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contract'))
    )
    op.create_index('ix_contract_root', 'contract', ['root'], unique=False)
    op.create_table('job',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('queue', sa.Text(), nullable=False),
    sa.Column('arguments', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state', sa.Text(), server_default='queued', nullable=False),
    sa.Column('attempt', sa.Integer(), server_default='0', nullable=False),
    sa.Column('max_attempts', sa.Integer(), nullable=False),
    sa.Column('deadline', sa.Interval(), nullable=True),
    sa.Column('run_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sequence_key', sa.Text(), nullable=True),
    sa.Column('sequence_id', sa.Uuid(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('fence', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('worker', sa.Text(), nullable=True),
    sa.Column('enqueued_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('parent_id', sa.Uuid(), nullable=True),
    sa.Column('correlation_id', sa.Uuid(), nullable=False),
    sa.CheckConstraint("queue IN ('critical','high','normal','low','background')", name=op.f('ck_job_queue')),
    sa.CheckConstraint("state IN ('queued','running','succeeded','failed','dead','cancelled','expired')", name=op.f('ck_job_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job'))
    )
    op.create_index('ix_job_correlation', 'job', ['correlation_id'], unique=False)
    op.create_index('ix_job_due', 'job', ['queue', 'run_at'], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_index('ix_job_expiring', 'job', ['expires_at'], unique=False, postgresql_where=sa.text("state = 'queued' AND expires_at IS NOT NULL"))
    op.create_index('ix_job_finished', 'job', ['finished_at'], unique=False, postgresql_where=sa.text('finished_at IS NOT NULL'))
    op.create_index('ix_job_lease', 'job', ['lease_until'], unique=False, postgresql_where=sa.text("state = 'running'"))
    op.create_index('ix_job_sequence_key', 'job', ['sequence_key', 'sequence_id'], unique=False, postgresql_where=sa.text("sequence_key IS NOT NULL AND state IN ('queued','running')"))
    op.create_index('uq_job_sequence_key_running', 'job', ['sequence_key'], unique=True, postgresql_where=sa.text("sequence_key IS NOT NULL AND state = 'running'"))
    op.create_table('job_key',
    sa.Column('idempotency_key', sa.Text(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('kept_until', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('idempotency_key', name=op.f('pk_job_key'))
    )
    op.create_index('ix_job_key_kept_until', 'job_key', ['kept_until'], unique=False)
    op.create_table('market_clock',
    sa.Column('is_only', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('market', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('machine_origin_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('market_origin_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('speed', sa.Integer(), nullable=False),
    sa.Column('ends_market_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('live','seeded','replay')", name=op.f('ck_market_clock_kind')),
    sa.CheckConstraint('is_only', name=op.f('ck_market_clock_one_row')),
    sa.CheckConstraint('speed >= 1', name=op.f('ck_market_clock_speed')),
    sa.PrimaryKeyConstraint('is_only', name=op.f('pk_market_clock'))
    )
    op.create_table('metric_rollup',
    sa.Column('period_start_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('error_count', sa.BigInteger(), nullable=False),
    sa.Column('p50_ms', sa.Numeric(), nullable=True),
    sa.Column('p95_ms', sa.Numeric(), nullable=True),
    sa.Column('max_ms', sa.Numeric(), nullable=True),
    sa.CheckConstraint("kind IN ('api','job')", name=op.f('ck_metric_rollup_kind')),
    sa.PrimaryKeyConstraint('period_start_at', 'kind', 'name', name=op.f('pk_metric_rollup'))
    )
    op.create_table('schedule',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('job_name', sa.Text(), nullable=False),
    sa.Column('arguments', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('clock', sa.Text(), nullable=False),
    sa.Column('every', sa.Interval(), nullable=False),
    sa.Column('missed', sa.Text(), server_default='run_once', nullable=False),
    sa.Column('only_when_open', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('is_enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('last_slot', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("clock IN ('machine','market')", name=op.f('ck_schedule_clock')),
    sa.CheckConstraint("every >= interval '1 second'", name=op.f('ck_schedule_every')),
    sa.CheckConstraint("missed IN ('skip','run_once','catch_up')", name=op.f('ck_schedule_missed')),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_schedule'))
    )
    op.create_table('schedule_slot',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('slot', sa.DateTime(timezone=True), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=True),
    sa.Column('noted_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("outcome IN ('enqueued','skipped')", name=op.f('ck_schedule_slot_outcome')),
    sa.PrimaryKeyConstraint('name', 'slot', name=op.f('pk_schedule_slot'))
    )
    op.create_index('ix_schedule_slot_noted_at', 'schedule_slot', ['noted_at'], unique=False)
    op.create_table('account_snapshot',
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('taken_market_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('balance', sa.Numeric(), nullable=False),
    sa.Column('can_trade', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_account_snapshot_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'taken_market_at', name=op.f('pk_account_snapshot'))
    )
    op.create_table('bar_minute',
    sa.Column('contract_id', sa.Text(), nullable=False),
    sa.Column('start', sa.DateTime(timezone=True), nullable=False),
    sa.Column('open_ticks', sa.BigInteger(), nullable=False),
    sa.Column('high_ticks', sa.BigInteger(), nullable=False),
    sa.Column('low_ticks', sa.BigInteger(), nullable=False),
    sa.Column('close_ticks', sa.BigInteger(), nullable=False),
    sa.Column('volume', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['contract_id'], ['contract.id'], name=op.f('fk_bar_minute_contract_id')),
    sa.PrimaryKeyConstraint('contract_id', 'start', name=op.f('pk_bar_minute'))
    )
    op.create_table('hook',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_hook_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hook')),
    sa.UniqueConstraint('name', name=op.f('uq_hook_name')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_hook_token_hash'))
    )
    op.create_table('position',
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('contract_id', sa.Text(), nullable=False),
    sa.Column('direction', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('average_price', sa.Numeric(), nullable=True),
    sa.Column('opened_market_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(direction = 'FLAT') = (quantity = 0)", name=op.f('ck_position_flat')),
    sa.CheckConstraint("direction IN ('LONG','SHORT','FLAT')", name=op.f('ck_position_direction')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_position_account_id')),
    sa.ForeignKeyConstraint(['contract_id'], ['contract.id'], name=op.f('fk_position_contract_id')),
    sa.PrimaryKeyConstraint('account_id', 'contract_id', name=op.f('pk_position'))
    )
    op.create_table('alert',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('hook_id', sa.Uuid(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('external_id', sa.Text(), nullable=True),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('job_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("verdict IN ('accepted','refused')", name=op.f('ck_alert_verdict')),
    sa.ForeignKeyConstraint(['hook_id'], ['hook.id'], name=op.f('fk_alert_hook_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert'))
    )
    op.create_index('ix_alert_hook_id_received_at', 'alert', ['hook_id', 'received_at'], unique=False)
    op.create_table('signal',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('alert_id', sa.Uuid(), nullable=True),
    sa.Column('strategy', sa.Text(), nullable=True),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('contract_id', sa.Text(), nullable=True),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=True),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('correlation_id', sa.Uuid(), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('decided_market_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("verdict IN ('accepted','refused')", name=op.f('ck_signal_verdict')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_signal_account_id')),
    sa.ForeignKeyConstraint(['alert_id'], ['alert.id'], name=op.f('fk_signal_alert_id')),
    sa.ForeignKeyConstraint(['contract_id'], ['contract.id'], name=op.f('fk_signal_contract_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_signal'))
    )
    op.create_index('uq_signal_alert_id', 'signal', ['alert_id'], unique=True, postgresql_where=sa.text('alert_id IS NOT NULL'))
    op.create_table('orders',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('contract_id', sa.Text(), nullable=False),
    sa.Column('client_order_id', sa.Text(), nullable=True),
    sa.Column('venue_order_id', sa.BigInteger(), nullable=True),
    sa.Column('parent_id', sa.Uuid(), nullable=True),
    sa.Column('signal_id', sa.Uuid(), nullable=True),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('side', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('stop_loss_ticks', sa.Integer(), nullable=True),
    sa.Column('take_profit_ticks', sa.Integer(), nullable=True),
    sa.Column('limit_price', sa.Numeric(), nullable=True),
    sa.Column('stop_price', sa.Numeric(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('filled_quantity', sa.Integer(), server_default='0', nullable=False),
    sa.Column('average_fill_price', sa.Numeric(), nullable=True),
    sa.Column('correlation_id', sa.Uuid(), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('intended_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('submitted_market_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('filled_market_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("state IN ('CREATED','SUBMITTING','IN_DOUBT','SUSPENDED','WORKING','FILLED','CANCELLED','EXPIRED','REJECTED','DENIED')", name=op.f('ck_orders_state')),
    sa.CheckConstraint('quantity > 0', name=op.f('ck_orders_quantity')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_orders_account_id')),
    sa.ForeignKeyConstraint(['contract_id'], ['contract.id'], name=op.f('fk_orders_contract_id')),
    sa.ForeignKeyConstraint(['parent_id'], ['orders.id'], name=op.f('fk_orders_parent_id')),
    sa.ForeignKeyConstraint(['signal_id'], ['signal.id'], name=op.f('fk_orders_signal_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_orders')),
    sa.UniqueConstraint('account_id', 'client_order_id', name=op.f('uq_orders_account_id_client_order_id')),
    sa.UniqueConstraint('account_id', 'venue_order_id', name=op.f('uq_orders_account_id_venue_order_id'))
    )
    op.create_index('ix_orders_correlation', 'orders', ['correlation_id'], unique=False)
    op.create_index('ix_orders_intended_at', 'orders', ['intended_at'], unique=False)
    op.create_index('ix_orders_open', 'orders', ['account_id', 'state'], unique=False, postgresql_where=sa.text("state IN ('CREATED','SUBMITTING','IN_DOUBT','SUSPENDED','WORKING')"))
    op.create_table('strategy_run',
    sa.Column('strategy', sa.Text(), nullable=False),
    sa.Column('contract_id', sa.Text(), nullable=False),
    sa.Column('closed_until_market_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decision', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('signal_id', sa.Uuid(), nullable=True),
    sa.Column('duration_ms', sa.Numeric(), nullable=False),
    sa.Column('evaluated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("decision IN ('BUY','SELL','none')", name=op.f('ck_strategy_run_decision')),
    sa.ForeignKeyConstraint(['contract_id'], ['contract.id'], name=op.f('fk_strategy_run_contract_id')),
    sa.ForeignKeyConstraint(['signal_id'], ['signal.id'], name=op.f('fk_strategy_run_signal_id')),
    sa.PrimaryKeyConstraint('strategy', 'contract_id', 'closed_until_market_at', name=op.f('pk_strategy_run'))
    )
    op.create_table('fill',
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('venue_fill_id', sa.BigInteger(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=True),
    sa.Column('venue_order_id', sa.BigInteger(), nullable=False),
    sa.Column('contract_id', sa.Text(), nullable=False),
    sa.Column('side', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('price', sa.Numeric(), nullable=False),
    sa.Column('gross_pnl', sa.Numeric(), nullable=True),
    sa.Column('fees', sa.Numeric(), nullable=False),
    sa.Column('commissions', sa.Numeric(), nullable=False),
    sa.Column('is_voided', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('filled_market_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('quantity > 0', name=op.f('ck_fill_quantity')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_fill_account_id')),
    sa.ForeignKeyConstraint(['contract_id'], ['contract.id'], name=op.f('fk_fill_contract_id')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_fill_order_id')),
    sa.PrimaryKeyConstraint('account_id', 'venue_fill_id', name=op.f('pk_fill'))
    )
    op.create_index('ix_fill_order_id', 'fill', ['order_id'], unique=False)
    op.execute(
        """
        CREATE VIEW bars AS
        SELECT contract_id AS contract, '1m'::text AS timeframe, start,
               open_ticks * tick_size AS open, high_ticks * tick_size AS high,
               low_ticks * tick_size AS low, close_ticks * tick_size AS close, volume
        FROM bar_minute JOIN contract ON contract.id = contract_id
        """
    )
