"""What an agent has begun to write is kept for them alone."""

from __future__ import annotations

from bot import agents, drafts
from tests.bot.world import World


async def test_the_newest_words_are_kept_and_none_are_no_draft(joined: World) -> None:
    request = await joined.request()
    async with joined.sessions.begin() as session:
        anna, boris = (await agents.get(session, "anna")).id, (await agents.get(session, "boris")).id
        for text in ("Здр", "Здравствуйте"):
            await drafts.save(session, anna, request.id, text, internal=False, now=joined.clock.now())
        await drafts.save(session, boris, request.id, "заметка", internal=True, now=joined.clock.now())
    async with joined.sessions.begin() as session:
        mine, his = await drafts.find(session, anna, request.id), await drafts.find(session, boris, request.id)
        assert mine is not None
        assert his is not None
        assert (mine.text, mine.internal, his.internal) == ("Здравствуйте", False, True)
        await drafts.save(session, anna, request.id, "  \n", internal=False, now=joined.clock.now())
    async with joined.sessions() as session:
        assert await drafts.find(session, anna, request.id) is None
        assert await drafts.find(session, boris, request.id) is not None
