"""The desk: sign-in, audit, drafts, actions that can be undone, forum topics, outside systems, targets and marks.

Triggers tell whoever listens (`bot.live`) what has changed, whichever program changed it.
"""

from __future__ import annotations

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

TELL = """
CREATE FUNCTION firstline_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'messages' THEN
    PERFORM pg_notify('firstline', json_build_object('kind', 'message', 'conversation', NEW.conversation_id)::text);
  ELSIF TG_TABLE_NAME = 'files' THEN
    PERFORM pg_notify('firstline', json_build_object('kind', 'message', 'conversation', NEW.conversation_id)::text);
  ELSIF TG_TABLE_NAME = 'requests' THEN
    PERFORM pg_notify('firstline', json_build_object('kind', 'request', 'conversation', NEW.conversation_id, 'request', NEW.id, 'agent', NEW.agent_id)::text);
    IF OLD.agent_id IS DISTINCT FROM NEW.agent_id AND OLD.agent_id IS NOT NULL THEN
      PERFORM pg_notify('firstline', json_build_object('kind', 'request', 'conversation', NEW.conversation_id, 'request', NEW.id, 'agent', OLD.agent_id)::text);
    END IF;
    IF NEW.claim_until IS NOT NULL THEN
      PERFORM pg_notify('firstline', json_build_object('kind', 'request', 'conversation', NEW.conversation_id, 'request', NEW.id, 'agent', id)::text) FROM agents WHERE name = NEW.manager;
    END IF;
  ELSIF TG_TABLE_NAME = 'planned' THEN
    PERFORM pg_notify('firstline', json_build_object('kind', 'planned', 'request', NEW.request_id, 'agent', NEW.agent_id)::text);
  ELSE
    PERFORM pg_notify('firstline', json_build_object('kind', 'agent', 'agent', NEW.id)::text);
  END IF;
  RETURN NULL;
END $$
"""
TOLD = {
    'messages': 'INSERT OR UPDATE OF text, delivery, edited, attachments, read_at, request_id',
    'files': 'INSERT OR UPDATE OF state',
    'requests': 'INSERT OR UPDATE',
    'planned': 'INSERT OR UPDATE OF state, seen',
    'agents': 'INSERT OR UPDATE OF title, queues, skills, role, on_shift, capacity, disabled_at, quiet',
}

SEARCH = (
    # the last ten digits of each telephone number in a text, however it is written
    r"""
CREATE FUNCTION firstline_phones(said text, contact text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
  SELECT right(regexp_replace(found[1], '[^0-9]', '', 'g'), 10)
  FROM regexp_matches(coalesce(said, '') || ' ' || coalesce(contact, ''), '(?<![0-9+])((?:(?:[+][0-9]|[78])[ ().–-]*)?[0-9][ ().–-]*(?:[0-9][ ().–-]*){8}[0-9])(?![0-9])', 'g') AS found
)
""",
    """
CREATE INDEX ix_messages_words ON messages USING gin (to_tsvector('russian', text))
WHERE sender IN ('customer', 'agent', 'note') AND press IS NULL
""",
    """
CREATE INDEX ix_messages_phones ON messages USING gin (firstline_phones(text, contact))
WHERE sender = 'customer' AND (text ~ '[0-9]{2}' OR contact IS NOT NULL)
""",
    "CREATE INDEX ix_conversations_name ON conversations USING gin (to_tsvector('russian', coalesce(name, '')))",
    """
CREATE INDEX ix_requests_name ON requests USING gin (to_tsvector('russian', coalesce(summary #>> '{customer,name}', '')))
""",
    """
CREATE INDEX ix_requests_phone ON requests USING gin (
  (ARRAY[right(call_phone, 10), right(call_phone, 4), right(summary #>> '{customer,phone_masked}', 4)])
)
""",
)
"""What the desk's search goes by: words in Russian, telephone numbers however written, names, orders."""


def upgrade() -> None:
    op.create_table('api_keys',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('agent_id', sa.BigInteger(), nullable=False),
    sa.Column('phones', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agents.id'], name=op.f('fk_api_keys_agent_id')),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_api_keys')),
    sa.UniqueConstraint('digest', name=op.f('uq_api_keys_digest'))
    )
    op.create_table('sign_ins',
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('agent_id', sa.BigInteger(), nullable=False),
    sa.Column('form_token', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agents.id'], name=op.f('fk_sign_ins_agent_id')),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_sign_ins'))
    )
    op.create_index(op.f('ix_sign_ins_agent_id'), 'sign_ins', ['agent_id'], unique=False)
    op.create_table('api_calls',
    sa.Column('api_key', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('status', sa.BigInteger(), nullable=False),
    sa.Column('body', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['api_key'], ['api_keys.name'], name=op.f('fk_api_calls_api_key')),
    sa.PrimaryKeyConstraint('api_key', 'key', name=op.f('pk_api_calls'))
    )
    op.create_index(op.f('ix_api_calls_at'), 'api_calls', ['at'], unique=False)
    op.create_table('audit',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('agent', sa.Text(), nullable=True),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('request_id', sa.BigInteger(), nullable=True),
    sa.Column('data', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['request_id'], ['requests.id'], name=op.f('fk_audit_request_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit'))
    )
    op.create_index('ix_audit_at', 'audit', ['at'], unique=False)
    op.create_index(op.f('ix_audit_request_id'), 'audit', ['request_id'], unique=False)
    op.create_table('drafts',
    sa.Column('agent_id', sa.BigInteger(), nullable=False),
    sa.Column('request_id', sa.BigInteger(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('internal', sa.Boolean(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agents.id'], name=op.f('fk_drafts_agent_id')),
    sa.ForeignKeyConstraint(['request_id'], ['requests.id'], name=op.f('fk_drafts_request_id')),
    sa.PrimaryKeyConstraint('agent_id', 'request_id', name=op.f('pk_drafts'))
    )
    op.create_table('forum_topics',
    sa.Column('request_id', sa.BigInteger(), nullable=False),
    sa.Column('chat', sa.Text(), nullable=False),
    sa.Column('thread', sa.Text(), nullable=True),
    sa.Column('card', sa.Text(), nullable=True),
    sa.Column('card_text', sa.Text(), nullable=True),
    sa.Column('pinned', sa.Boolean(), nullable=False),
    sa.Column('title', sa.Text(), nullable=True),
    sa.Column('shown_id', sa.BigInteger(), nullable=False),
    sa.Column('lines', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('shown_event', sa.BigInteger(), nullable=False),
    sa.Column('shown_file', sa.BigInteger(), nullable=False),
    sa.Column('closed', sa.Boolean(), nullable=False),
    sa.Column('unclear', sa.BigInteger(), nullable=False),
    sa.Column('retry_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['request_id'], ['requests.id'], name=op.f('fk_forum_topics_request_id')),
    sa.PrimaryKeyConstraint('request_id', 'chat', name=op.f('pk_forum_topics')),
    sa.UniqueConstraint('chat', 'thread', name=op.f('uq_forum_topics_chat_thread'))
    )
    op.create_table('forum_updates',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('chat', sa.Text(), nullable=False),
    sa.Column('thread', sa.Text(), nullable=True),
    sa.Column('author', sa.Text(), nullable=True),
    sa.Column('message_id', sa.Text(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('body', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lines', postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    sa.Column('unknown', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('answer', sa.Text(), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_forum_updates'))
    )
    op.create_index('ix_forum_updates_chat_thread', 'forum_updates', ['chat', 'thread'], unique=False)
    op.create_index('ix_forum_updates_unanswered', 'forum_updates', ['chat', 'id'], unique=False, postgresql_where=sa.text('answer IS NOT NULL AND answered_at IS NULL'))
    op.create_index('ix_forum_updates_waiting', 'forum_updates', ['chat', 'id'], unique=False, postgresql_where=sa.text('done_at IS NULL'))
    op.create_table('hooks',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('event', sa.Text(), nullable=False),
    sa.Column('request_id', sa.BigInteger(), nullable=True),
    sa.Column('body', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('retry_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('given_up_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['request_id'], ['requests.id'], name=op.f('fk_hooks_request_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hooks')),
    sa.UniqueConstraint('key', name=op.f('uq_hooks_key'))
    )
    op.create_index(op.f('ix_hooks_request_id'), 'hooks', ['request_id'], unique=False)
    op.create_index('ix_hooks_waiting', 'hooks', ['id'], unique=False, postgresql_where=sa.text('sent_at IS NULL AND given_up_at IS NULL'))
    op.create_table('planned',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('request_id', sa.BigInteger(), nullable=False),
    sa.Column('agent_id', sa.BigInteger(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('args', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('last_id', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('why', sa.Text(), nullable=True),
    sa.Column('seen', sa.Boolean(), nullable=False),
    sa.CheckConstraint("state IN ('planned', 'done', 'undone', 'refused', 'told')", name=op.f('ck_planned_state')),
    sa.ForeignKeyConstraint(['agent_id'], ['agents.id'], name=op.f('fk_planned_agent_id')),
    sa.ForeignKeyConstraint(['request_id'], ['requests.id'], name=op.f('fk_planned_request_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_planned'))
    )
    op.create_index(op.f('ix_planned_agent_id'), 'planned', ['agent_id'], unique=False)
    op.create_index('ix_planned_due', 'planned', ['due'], unique=False, postgresql_where=sa.text("state = 'planned'"))
    op.create_index('uq_planned_one_per_request', 'planned', ['request_id'], unique=True, postgresql_where=sa.text("state = 'planned'"))
    op.add_column('agents', sa.Column('capacity', sa.BigInteger(), server_default=sa.text('5'), nullable=False))
    op.add_column('agents', sa.Column('seen_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('agents', sa.Column('away_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('agents', sa.Column('password', sa.Text(), nullable=True))
    op.add_column('agents', sa.Column('password_temporary', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('agents', sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('agents', sa.Column('telegram_id', sa.Text(), nullable=True))
    op.add_column('agents', sa.Column('quiet', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.create_unique_constraint(op.f('uq_agents_telegram_id'), 'agents', ['telegram_id'])
    op.add_column('messages', sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('conversations', sa.Column('spam_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('requests', sa.Column('target_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('requests', sa.Column('warned_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('requests', sa.Column('breached_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('requests', sa.Column('waits_for_opening', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('requests', sa.Column('call_phone', sa.Text(), nullable=True))
    op.add_column('requests', sa.Column('joined_into', sa.BigInteger(), nullable=True))
    op.add_column('requests', sa.Column('mark', sa.BigInteger(), nullable=True))
    op.add_column('requests', sa.Column('mark_asked_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('requests', sa.Column('marked_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('requests', sa.Column('mark_comment', sa.Text(), nullable=True))
    op.create_index('ix_requests_live', 'requests', ['state', 'queue'], unique=False, postgresql_where=sa.text("state IN ('queued', 'assigned', 'waiting_customer')"))
    op.create_index('ix_requests_target', 'requests', ['target_at'], unique=False, postgresql_where=sa.text('answered_at IS NULL AND ended_at IS NULL'))
    op.create_index('ix_requests_target_at', 'requests', ['target_at'], unique=False, postgresql_where=sa.text('target_at IS NOT NULL'))
    op.create_index('ix_request_events_agent_at', 'request_events', ['agent', 'at'], unique=False, postgresql_where=sa.text('agent IS NOT NULL'))
    op.create_unique_constraint(op.f('uq_files_key'), 'files', ['key'])
    op.create_index('ix_requests_ended', 'requests', [sa.text('coalesce(ended_at, solved_at, opened_at) DESC')], unique=False, postgresql_where=sa.text("state IN ('solved', 'cancelled', 'closed')"))
    op.create_index('ix_requests_breached', 'requests', ['breached_at'], unique=False, postgresql_where=sa.text('breached_at IS NOT NULL'))
    op.create_index('ix_requests_orders', 'requests', ['orders'], unique=False, postgresql_using='gin')
    op.create_foreign_key(op.f('fk_requests_joined_into'), 'requests', 'requests', ['joined_into'], ['id'])
    op.create_check_constraint(op.f('ck_requests_mark'), 'requests', 'mark BETWEEN 1 AND 5')
    for statement in SEARCH:
        op.execute(statement)
    op.execute(TELL)
    for table, what in TOLD.items():
        op.execute(f'CREATE TRIGGER tell AFTER {what} ON {table} FOR EACH ROW EXECUTE FUNCTION firstline_tell()')
