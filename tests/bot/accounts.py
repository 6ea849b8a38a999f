"""People at the desk for tests: passwords whose digests are made fast, accounts that can sign in at once."""

from __future__ import annotations

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from bot import passwords, staff
from bot.database import Sessions
from bot.models import Agent
from tests.bot.world import START

PASSWORD = "четыре синих чайника"


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 with the least of time and memory."""
    monkeypatch.setattr(passwords, "_ARGON2", PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),)))
    passwords._nobody.cache_clear()


async def seat(sessions: Sessions, name: str, *queues: str, password: str = PASSWORD, **place: object) -> Agent:
    """Somebody who has chosen their password already."""
    digest = await passwords.digest(password)
    async with sessions.begin() as session:
        where = staff.Place(title=str(place.pop("title", name.capitalize())), queues=queues, **place)  # type: ignore[arg-type]
        await staff.add(session, name, where, doer=staff.Doer(now=START), queues=queues)
        agent = await staff.agents.get(session, name)
        agent.password, agent.password_temporary = digest, False
    return agent
