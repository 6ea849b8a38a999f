"""Health: whether this process lives, and whether it can do its role's work, with each part named.

A part that is down but is not this role's business is shown and does not count. What is wrong is said in our words: no
address with a password, no text of a foreign error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from bot import database, signs
from bot.roles import EVERYTHING, Role
from bot.web.figures import Figures, Waiting, waiting
from bot.web.parts import Parts

SECONDS = 4.0
"""For each part."""
HOOKS_SECONDS = 300.0
"""An event that the outside system has not taken for so long is trouble."""
SILENT_SECONDS = 120.0
"""A channel that is asked for news answers at least so often: a poll takes 25 s, a pause after a failure at most 30."""

Part = dict[str, Any]
"""What is told of a part; `ok` says whether it works."""


def health(parts: Parts) -> APIRouter:
    """The routes of health."""
    router = APIRouter()

    @router.get("/health/live")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "ok", "version": version("firstline")})

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        told = await look(parts)
        fine = all(part["ok"] for part in told.values() if part["needed"])
        status = {"status": "ok" if fine else "down", "roles": sorted(parts.roles), "parts": told}
        return JSONResponse(status, 200 if fine else 503)

    return router


async def look(parts: Parts) -> dict[str, Part]:
    """Look at every part; each has `ok` and `needed`."""
    roles = set(parts.roles)
    checks: dict[str, tuple[Callable[[Parts], Awaitable[Part]], set[str]]] = {
        "store": (_store, set(EVERYTHING)),
        "schema": (_schema, set(EVERYTHING)),
        "nlu": (_nlu, {Role.WORKER}),
        "crm": (_crm, set()),  # down now and then: the pack has words for it
        "channels": (_channels, {Role.RECEIVER, Role.SENDER}),
    }
    told, figures = await asyncio.gather(
        asyncio.gather(*(_within(check(parts)) for check, _ in checks.values())), _within(_figures(parts))
    )
    seen = {
        name: {**part, "needed": bool(roles & of)} for (name, (_, of)), part in zip(checks.items(), told, strict=True)
    }
    figure: Figures | None = figures.get("figures")
    for name, part, of in (
        ("jobs", _jobs(figure), {Role.WORKER, Role.SENDER}),
        ("outbox", _outbox(figure), set[str]()),
        ("queues", _queues(figure), set[str]()),
        ("hooks", _hooks(figure), set[str]()),
        *((("telegram_desks", _desks(groups), set[str]()),) if (groups := signs.seen(signs.DESK)) else ()),
    ):
        seen[name] = {**part, "needed": bool(roles & of)}
    return seen


async def _within(check: Awaitable[Part]) -> Part:
    try:
        async with asyncio.timeout(SECONDS):
            return await check
    except (TimeoutError, SQLAlchemyError, OSError) as error:
        return {"ok": False, "why": "does not answer", "error": type(error).__name__}


# ------------------------------------------------------------------------------------------------------------ the parts
async def _store(parts: Parts) -> Part:
    answers = await database.reachable(parts.engine)
    return {"ok": True} if answers else {"ok": False, "why": "does not answer"}


async def _schema(parts: Parts) -> Part:
    """The newest schema; one that is newer than this program was made on purpose, for a program that follows."""
    has, known = await database.revision(parts.engine), database.revisions()
    if has is None:
        return {"ok": False, "why": "there is none: firstline migrate"}
    if has in known and has != known[0]:
        return {"ok": False, "revision": has, "why": f"older than this program needs ({known[0]}): firstline migrate"}
    return {"ok": True, "revision": has, **({} if has in known else {"why": "newer than this program"})}


async def _nlu(parts: Parts) -> Part:
    """One address that works is enough."""
    if parts.nlu is None:
        return {"ok": True, "why": "not used by this process"}
    models = {_without_secrets(address): model for address, model in (await parts.nlu()).items()}
    told = {address: {"ok": model is not None, "model": model} for address, model in models.items()}
    return {"ok": any(model is not None for model in models.values()), "addresses": told}


async def _crm(parts: Parts) -> Part:
    """As the last calls of this process went."""
    told = {name: _sign(sign) for name, sign in signs.seen(signs.CRM).items()}
    return {"ok": all(part["ok"] for part in told.values()), "systems": told}


async def _channels(parts: Parts) -> Part:
    """All of them: a token that is refused, one that is asked for news but does not answer any more, one that does not
    reach our webhook."""
    told: dict[str, Part] = {}
    now = datetime.now(UTC)
    for name in parts.channels:
        sign = signs.of(signs.CHANNEL, name)
        part = _sign(sign) | {"ok": not sign.refused, "fetching": sign.listening is not None}
        if sign.listening is not None and not (parts.webhooks and sign.well):
            last = max(sign.good or sign.listening, sign.listening)
            if (now - last).total_seconds() > SILENT_SECONDS:
                part |= {"ok": False, "why": sign.why or "does not answer"}
        told[name] = part
    return {"ok": all(part["ok"] for part in told.values()), "each": told}


def _desks(seen: dict[str, signs.Sign]) -> Part:
    """The Telegram groups whose topics this process keeps; the desk itself works without them."""
    told = {name: _sign(sign) for name, sign in seen.items()}
    return {"ok": all(part["ok"] for part in told.values()), "groups": told}


def _sign(sign: signs.Sign) -> Part:
    told: Part = {"ok": sign.well, "last": sign.good.isoformat(timespec="seconds") if sign.good else None}
    if not sign.well or sign.refused:
        told["why"] = sign.why
    return told


async def _figures(parts: Parts) -> Part:
    return {"figures": await waiting(parts)}


def _jobs(figures: Figures | None) -> Part:
    """Somebody does them."""
    if figures is None:
        return {"ok": False, "why": "not known: the store does not answer"}
    oldest = max((one.oldest for one in figures.jobs.values()), default=0.0)
    told: Part = {
        "ok": figures.workers > 0, "workers": figures.workers, "waiting": sum(one.count for one in figures.jobs.values()),
        "oldest_s": round(oldest, 1), "doing": figures.doing, "stalled": figures.stalled,
    }  # fmt: skip
    return told if told["ok"] else {**told, "why": "no process does jobs"}


def _outbox(figures: Figures | None) -> Part:
    return _lengths(figures.outbox if figures else None)


def _queues(figures: Figures | None) -> Part:
    return _lengths(figures.queues if figures else None)


def _hooks(figures: Figures | None) -> Part:
    """What the outside system does not take is told here; the desk works without it."""
    if figures is None:
        return {"ok": False, "why": "not known: the store does not answer"}
    waits, sign = figures.hooks, signs.of(signs.HOOKS, signs.EVENTS)
    told: Part = {"waiting": waits.count, "oldest_s": round(waits.oldest, 1), "given_up": figures.hooks_given_up}
    if figures.hooks_given_up:
        return {"ok": False, **told, "why": sign.why or "events of the last day were given up"}
    late = waits.oldest > HOOKS_SECONDS
    return {"ok": not late, **told, **({"why": sign.why or "events are not taken"} if late else {})}


def _lengths(waits: Any) -> Part:
    if waits is None:
        return {"ok": False, "why": "not known: the store does not answer"}
    each: dict[str, Waiting] = dict(waits)
    return {
        "ok": True,
        "each": {name: {"waiting": one.count, "oldest_s": round(one.oldest, 1)} for name, one in each.items()},
    }


def _without_secrets(address: str) -> str:
    """An address without user and password."""
    found = urlsplit(address)
    return found._replace(netloc=found.netloc.rpartition("@")[2], query="").geturl()
