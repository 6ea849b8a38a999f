"""Alembic's environment: runs the migrations on the connection that `bot.database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from bot.models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
