"""Both messengers for good: attachments that are kept, a common pace of sending, buttons as numbered lists."""

from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE procrastinate_jobs SET queue_name = task_name WHERE status = 'todo'")  # each kind has its own now
    op.add_column('conversations', sa.Column('no_buttons', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('messages', sa.Column('numbered', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.create_table(
        'paces',
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_paces')),
    )
    op.create_table(
        'files',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('conversation_id', sa.BigInteger(), nullable=False),
        sa.Column('message_id', sa.BigInteger(), nullable=False),
        sa.Column('place', sa.BigInteger(), nullable=False),
        sa.Column('request_id', sa.BigInteger(), nullable=True),
        sa.Column('ref', sa.Text(), nullable=False),
        sa.Column('size', sa.BigInteger(), nullable=True),
        sa.Column('mime', sa.Text(), nullable=True),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('key', sa.Text(), nullable=True),
        sa.Column('sha256', sa.Text(), nullable=True),
        sa.Column('attempts', sa.BigInteger(), nullable=False),
        sa.Column('retry_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'kept', 'refused', 'lost')", name=op.f('ck_files_state')),
        sa.CheckConstraint("(state = 'kept') = (key IS NOT NULL)", name=op.f('ck_files_key_when_kept')),
        sa.ForeignKeyConstraint(['conversation_id'], ['conversations.id'], name=op.f('fk_files_conversation_id')),
        sa.ForeignKeyConstraint(['message_id'], ['messages.id'], name=op.f('fk_files_message_id')),
        sa.ForeignKeyConstraint(['request_id'], ['requests.id'], name=op.f('fk_files_request_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_files')),
        sa.UniqueConstraint('message_id', 'place', name=op.f('uq_files_message_id_place')),
    )
    op.create_index(op.f('ix_files_request_id'), 'files', ['request_id'])
    op.create_index('ix_files_waiting', 'files', ['conversation_id', 'id'], postgresql_where=sa.text("state = 'waiting'"))
