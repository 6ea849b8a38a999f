"""The store as a whole: migrations, throw-away databases, the embedded server."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from bot import database
from bot.errors import StoreUnavailable
from bot.models import Base


class TestMigrate:
    def test_the_migrations_make_exactly_the_models(self, address: str) -> None:
        engine = create_engine(database.engine_url(address))
        with engine.connect() as connection:
            found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        engine.dispose()
        ours = [one for one in found if "procrastinate" not in str(one)]
        assert ours == []

    def test_doing_it_again_changes_nothing(self, address: str) -> None:
        engine = create_engine(database.engine_url(address))
        try:
            before = inspect(engine).get_table_names()
            database.migrate(address)
            assert inspect(engine).get_table_names() == before
            assert "messages" in before
        finally:
            engine.dispose()

    def test_several_processes_at_once(self, postgres: str) -> None:
        empty = database.with_database(postgres, "migrated_at_once")
        with psycopg.connect(database.conninfo(postgres), autocommit=True) as connection:
            connection.execute("CREATE DATABASE migrated_at_once")
        failures: list[BaseException] = []

        def run() -> None:
            try:
                database.migrate(empty)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        database.drop_database(empty)
        assert failures == []

    def test_a_server_that_is_not_there_is_told(self) -> None:
        with pytest.raises(StoreUnavailable):
            database.create_database("postgresql://postgres@/postgres?host=/nowhere")


class TestThrowaway:
    def test_a_fresh_one_is_quick_and_empty(self, postgres: str) -> None:
        database.template(postgres)
        took = []
        for _ in range(3):
            begun = time.perf_counter()
            made = database.create_database(postgres)
            took.append(time.perf_counter() - begun)
            with psycopg.connect(database.conninfo(made)) as connection:
                assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (0,)
            database.drop_database(made)
        assert min(took) < 1.0

    async def test_it_is_gone_afterwards(self, postgres: str) -> None:
        async with database.throwaway(postgres) as made:
            assert database._url(made).database != database._url(postgres).database
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(database.conninfo(made))

    async def test_without_a_copy_nothing_else_stays_on_the_server(self, postgres: str) -> None:
        names = "SELECT datname FROM pg_database WHERE datname LIKE 'firstline_%'"
        with psycopg.connect(database.conninfo(postgres), autocommit=True) as connection:
            before = set(connection.execute(names))
            async with database.throwaway(postgres, copy=False) as made:
                with psycopg.connect(database.conninfo(made)) as inside:
                    assert inside.execute("SELECT count(*) FROM conversations").fetchone() == (0,)
                assert len(set(connection.execute(names)) - before) == 1
            assert set(connection.execute(names)) == before

    def test_a_user_who_may_not_create_databases_is_named(self, postgres: str) -> None:
        with psycopg.connect(database.conninfo(postgres), autocommit=True) as connection:
            connection.execute("CREATE ROLE firstline_plain LOGIN")
            try:
                plain = database._url(postgres).set(username="firstline_plain")
                with pytest.raises(StoreUnavailable, match="'firstline_plain' may not create"):
                    database.create_database(plain.render_as_string(hide_password=False), copy=False)
            finally:
                connection.execute("DROP ROLE firstline_plain")


class TestEmbedded:
    def test_it_listens_on_no_network_address(self, postgres: str) -> None:
        with psycopg.connect(database.conninfo(postgres)) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)

    def test_it_starts_after_a_crash_though_its_number_belongs_to_another(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="firstline-crashed-"))
        folder.chmod(0o755)
        server = database.EmbeddedServer(folder / "postgres", durable=False)
        try:
            server.start()
            left = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
            server.stop()
            left[0] = str(os.getpid())
            (folder / "postgres" / "postmaster.pid").write_text("\n".join(left) + "\n")
            (folder / "postgres" / ".handle_pids.json").write_text("[4194303]")
            with psycopg.connect(database.conninfo(server.start())) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert (folder / "postgres" / ".handle_pids.json").read_text() == f"[{os.getpid()}]"
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
    def test_a_plain_user_has_one_of_their_own(self, postgres: str) -> None:
        folder = Path(tempfile.mkdtemp(prefix="firstline-plain-"))
        os.chown(folder, NOBODY, NOBODY)
        try:
            assert _as_nobody(folder) == "(0,)"
        finally:
            shutil.rmtree(folder, ignore_errors=True)


NOBODY = 65534


def _as_nobody(folder: Path) -> str:
    """Start a server of one's own in a folder, as the user `nobody`, and ask it something."""
    reader, writer = os.pipe()
    child = os.fork()  # what is imported already need not be readable by the other user
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            server = database.EmbeddedServer(folder / "postgres")
            server.start()
            address = server.database()
            database.migrate(address)
            with psycopg.connect(database.conninfo(address)) as connection:
                answer = str(connection.execute("SELECT count(*) FROM agents").fetchone())
            server.stop()
        except BaseException as error:
            answer = repr(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        answer = told.read()
    os.waitpid(child, 0)
    return answer
