"""Escalation and reading: the clock and the form of a transfer, who has read a request, questions asked again."""

from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('requests', sa.Column('asked_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('requests', sa.Column('transfer_seconds', sa.Float(), nullable=True))
    op.add_column('requests', sa.Column('in_time', sa.Boolean(), nullable=True))
    op.add_column('requests', sa.Column('escalation_reason', sa.Text(), nullable=True))
    op.add_column('requests', sa.Column('read_by', sa.BigInteger(), nullable=True))
    for name in ('spoken_since', 'escalated'):
        op.add_column('requests', sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
        op.alter_column('requests', name, server_default=None)
    op.add_column('requests', sa.Column('asked_again', sa.BigInteger(), server_default='0', nullable=False))
    op.alter_column('requests', 'asked_again', server_default=None)
    op.create_foreign_key(op.f('fk_requests_read_by'), 'requests', 'agents', ['read_by'], ['id'])
    # who has a request in hand at the time of the change has read it
    op.execute('UPDATE requests SET read_by = agent_id, asked_at = taken_at WHERE agent_id IS NOT NULL')
