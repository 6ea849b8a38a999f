"""The first schema: our own tables, and procrastinate's in the same database."""

from __future__ import annotations

from alembic import op
import sqlalchemy as sa
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence('request_numbers', start=1001)))
    op.create_table('agents',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('queues', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('skills', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('on_shift', sa.Boolean(), nullable=False),
    sa.CheckConstraint("role IN ('agent', 'supervisor', 'trainer', 'admin')", name=op.f('ck_agents_role')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agents')),
    sa.UniqueConstraint('name', name=op.f('uq_agents_name'))
    )
    op.create_table('conversations',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('chat', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=True),
    sa.Column('owner', sa.Text(), server_default='bot', nullable=False),
    sa.Column('state', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('blocked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("owner IN ('bot', 'agent')", name=op.f('ck_conversations_owner')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_conversations')),
    sa.UniqueConstraint('channel', 'chat', name=op.f('uq_conversations_channel_chat'))
    )
    op.create_table('offsets',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_offsets'))
    )
    op.create_table('receipts',
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('external_id', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('channel', 'external_id', name=op.f('pk_receipts'))
    )
    op.create_index(op.f('ix_receipts_at'), 'receipts', ['at'], unique=False)
    op.create_table('deeds',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('conversation_id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('args', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('rules', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversations.id'], name=op.f('fk_deeds_conversation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deeds')),
    sa.UniqueConstraint('conversation_id', 'key', name=op.f('uq_deeds_conversation_id_key'))
    )
    op.create_table('requests',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('number', sa.Text(), nullable=False),
    sa.Column('conversation_id', sa.BigInteger(), nullable=False),
    sa.Column('task', sa.Boolean(), nullable=False),
    sa.Column('talking', sa.Boolean(), nullable=False),
    sa.Column('spoken', sa.Boolean(), nullable=False),
    sa.Column('category', sa.Text(), nullable=True),
    sa.Column('due', sa.DateTime(timezone=True), nullable=True),
    sa.Column('queue', sa.Text(), nullable=False),
    sa.Column('priority', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=True),
    sa.Column('customer_id', sa.Text(), nullable=True),
    sa.Column('orders', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('marks', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('rules', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('comment', sa.Text(), nullable=False),
    sa.Column('summary', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('vip', sa.Boolean(), nullable=False),
    sa.Column('manager', sa.Text(), nullable=True),
    sa.Column('claim_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('agent_id', sa.BigInteger(), nullable=True),
    sa.Column('last_agent_id', sa.BigInteger(), nullable=True),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('queued_place', sa.BigInteger(), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('wait_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('solved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('close_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('overdue_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolution', sa.Text(), nullable=True),
    sa.Column('resolved_category', sa.Text(), nullable=True),
    sa.Column('solution', sa.Text(), nullable=True),
    sa.CheckConstraint("(state IN ('assigned', 'waiting_customer')) = (agent_id IS NOT NULL)", name=op.f('ck_requests_agent_when_assigned')),
    sa.CheckConstraint("NOT talking OR state IN ('assigned', 'waiting_customer')", name=op.f('ck_requests_talking_when_assigned')),
    sa.CheckConstraint("priority IN ('low', 'normal', 'high', 'urgent')", name=op.f('ck_requests_priority')),
    sa.CheckConstraint("state IN ('queued', 'assigned', 'waiting_customer', 'solved', 'cancelled', 'closed')", name=op.f('ck_requests_state')),
    sa.CheckConstraint('(category IS NULL) OR (due IS NOT NULL)', name=op.f('ck_requests_case_has_due')),
    sa.ForeignKeyConstraint(['agent_id'], ['agents.id'], name=op.f('fk_requests_agent_id')),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversations.id'], name=op.f('fk_requests_conversation_id')),
    sa.ForeignKeyConstraint(['last_agent_id'], ['agents.id'], name=op.f('fk_requests_last_agent_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_requests')),
    sa.UniqueConstraint('number', name=op.f('uq_requests_number'))
    )
    op.create_index(op.f('ix_requests_agent_id'), 'requests', ['agent_id'], unique=False)
    op.create_index(op.f('ix_requests_conversation_id'), 'requests', ['conversation_id'], unique=False)
    op.create_index(op.f('ix_requests_customer_id'), 'requests', ['customer_id'], unique=False)
    op.create_index('ix_requests_waiting', 'requests', ['queue', 'opened_at'], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_index('uq_requests_one_live_handoff', 'requests', ['conversation_id'], unique=True, postgresql_where=sa.text("NOT task AND state IN ('queued', 'assigned', 'waiting_customer', 'solved')"))
    op.create_table('turns',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('conversation_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('given', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('parse', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('decision', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('rules', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('pack', sa.Text(), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('ms', sa.BigInteger(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversations.id'], name=op.f('fk_turns_conversation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_turns'))
    )
    op.create_index(op.f('ix_turns_conversation_id'), 'turns', ['conversation_id'], unique=False)
    op.create_table('labels',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('turn_id', sa.BigInteger(), nullable=False),
    sa.Column('conversation_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('read', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('hint', sa.Text(), nullable=True),
    sa.Column('intents', postgresql.ARRAY(sa.Text()), nullable=True),
    sa.Column('judged_by', sa.Text(), nullable=True),
    sa.Column('judged_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversations.id'], name=op.f('fk_labels_conversation_id')),
    sa.ForeignKeyConstraint(['turn_id'], ['turns.id'], name=op.f('fk_labels_turn_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_labels')),
    sa.UniqueConstraint('turn_id', 'reason', name=op.f('uq_labels_turn_id_reason'))
    )
    op.create_index(op.f('ix_labels_conversation_id'), 'labels', ['conversation_id'], unique=False)
    op.create_table('messages',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('conversation_id', sa.BigInteger(), nullable=False),
    sa.Column('sender', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('stored_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('message_id', sa.Text(), nullable=True),
    sa.Column('attachments', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('agent', sa.Text(), nullable=True),
    sa.Column('request_id', sa.BigInteger(), nullable=True),
    sa.Column('turn_id', sa.BigInteger(), nullable=True),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('press', sa.Text(), nullable=True),
    sa.Column('stale_press', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('contact', sa.Text(), nullable=True),
    sa.Column('edited', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('buttons', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('ask_contact', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('rules', postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    sa.Column('delivery', sa.Text(), nullable=True),
    sa.Column('attempts', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('unclear', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('retry_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.CheckConstraint("(sender IN ('bot', 'system', 'agent')) = (delivery IS NOT NULL)", name=op.f('ck_messages_delivery_when_outgoing')),
    sa.CheckConstraint("delivery IS NULL OR delivery IN ('pending', 'sending', 'sent', 'failed', 'refused', 'unknown')", name=op.f('ck_messages_delivery')),
    sa.CheckConstraint("sender IN ('customer', 'bot', 'system', 'agent', 'note')", name=op.f('ck_messages_sender')),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversations.id'], name=op.f('fk_messages_conversation_id')),
    sa.ForeignKeyConstraint(['request_id'], ['requests.id'], name=op.f('fk_messages_request_id')),
    sa.ForeignKeyConstraint(['turn_id'], ['turns.id'], name=op.f('fk_messages_turn_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_messages'))
    )
    op.create_index('ix_messages_conversation_id_id', 'messages', ['conversation_id', 'id'], unique=False)
    op.create_index('ix_messages_conversation_id_message_id', 'messages', ['conversation_id', 'message_id'], unique=False)
    op.create_index('ix_messages_outbox', 'messages', ['conversation_id', 'id'], unique=False, postgresql_where=sa.text("delivery IN ('pending', 'sending')"))
    op.create_index(op.f('ix_messages_request_id'), 'messages', ['request_id'], unique=False)
    op.create_index(op.f('ix_messages_turn_id'), 'messages', ['turn_id'], unique=False)
    op.create_index('ix_messages_unread', 'messages', ['conversation_id', 'id'], unique=False, postgresql_where=sa.text("sender = 'customer' AND read_at IS NULL"))
    op.create_table('request_events',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('request_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('agent', sa.Text(), nullable=True),
    sa.Column('data', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.ForeignKeyConstraint(['request_id'], ['requests.id'], name=op.f('fk_request_events_request_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_request_events'))
    )
    op.create_index(op.f('ix_request_events_request_id'), 'request_events', ['request_id'], unique=False)
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(SchemaManager.get_schema())
