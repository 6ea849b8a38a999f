"""The composition root: builds every part of a worker, starts it and stops it. The only file that names them all.

An `Assistant` is one process of one database: it receives, takes turns, delivers, sweeps, or does only some of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, Self

from bot import (
    agents,
    conversations,
    database,
    delivery,
    fetching,
    file_store,
    jobs,
    pace,
    planned,
    requests,
    signs,
    tidying,
    turns,
    upkeep,
)  # fmt: skip
from bot.attention import Attention
from bot.channels import Channel, Incoming, Kind
from bot.clients import Crm, Nlu
from bot.clients.crm_demo import DemoCrm
from bot.clients.timed import TimedCrm
from bot.clock import Clock, SystemClock
from bot.content import Content
from bot.desk import giving
from bot.errors import ChannelStopped
from bot.leader import Leader
from bot.limits import Limits
from bot.messengers import messengers, paces
from bot.outside import outbox
from bot.outside.sending import Outside
from bot.patience import Patience
from bot.roles import EVERYTHING, Role
from bot.settings import Settings
from flows import Pack

if TYPE_CHECKING:
    from bot.forum import TelegramDesks

log = logging.getLogger(__name__)

CHANNEL_PAUSE = 5.0
"""Seconds before a channel that failed is tried again; one whose token is refused waits `TOKEN_PAUSE`."""
TOKEN_PAUSE = 60.0
STORED_WITHIN = 10.0
"""Seconds that what has come in already gets to be stored when the process is stopped."""
PAGES = 8
"""Connections for the desk's pages."""
PLANNERS = 2
"""Conversations in which one process does agents' planned actions at the same time."""
FETCHERS = 2
"""Conversations whose attachments one process fetches at the same time."""
TELLERS = 2
"""Conversations of which one process tells the outside system at the same time."""


class SwitchableCrm(Crm, Protocol):
    """A `Crm` whose systems can be made not to answer (scripted conversations)."""

    def set_down(self, systems: Collection[str]) -> None:
        """Say which systems do not answer from now on."""
        ...


def _kinds(settings: Settings, roles: Collection[Role]) -> dict[str, int]:
    """The kinds of jobs that roles do, and how many of each a process does at the same time."""
    kinds = (
        (Role.WORKER, jobs.TURN, settings.workers), (Role.SENDER, jobs.DELIVERY, settings.senders),
        (Role.SENDER, jobs.FILES, FETCHERS), (Role.WORKER, jobs.PLANNED, PLANNERS), (Role.WORKER, jobs.GIVE, 1),
    )  # fmt: skip
    return {kind: number for role, kind, number in kinds if role in roles}


def desk_of(settings: Settings, pack: Pack, work: jobs.Jobs) -> requests.Desk:
    """What work with requests needs, by the settings."""
    reopen = settings.reopen_hours or pack.manifest.settings.get("reopen_hours", 24)
    return requests.Desk(
        pack=pack, jobs=work, reopen=timedelta(hours=float(reopen)), claim=timedelta(seconds=settings.claim_seconds),
        away=timedelta(seconds=settings.away_seconds),
    )  # fmt: skip


class Assistant:
    """One process of one database. Use as an asynchronous context manager; then `run`, or `settle` by hand."""

    def __init__(
        self,
        address: str,
        content: Content,
        nlu: Nlu,
        *,
        settings: Settings,
        roles: Collection[Role] = EVERYTHING,
        clock: Clock | None = None,
        quiet: float | None = None,
        down: Callable[[], frozenset[str]] | None = None,
        crm: SwitchableCrm | None = None,
    ) -> None:
        """`quiet`: seconds to wait for the rest of a burst, the settings' by default. `down`: systems known not to work.

        `crm`: the shop's own systems; by default the demo CRM of the shop file.
        """
        self.content, self.settings, self.roles = content, settings, frozenset(roles)
        self.clock: Clock = clock or SystemClock()
        self.quiet = settings.quiet_seconds if quiet is None else quiet
        self.address = address
        self.kinds = _kinds(settings, self.roles)
        at_work = sum(self.kinds.values())
        pages = PAGES if Role.CONSOLE in self.roles else 0
        self.engine = database.make_engine(address, size=at_work + pages + 2)
        self.sessions = database.make_sessions(self.engine)
        self.jobs = jobs.Jobs(
            address,
            workers=max(at_work // 2, 1),
            stalled=settings.stalled_seconds,
            heartbeat=settings.heartbeat_seconds,
        )
        self.offsets = conversations.StoredOffsets(self.sessions)
        self.channels: dict[str, Channel] = {}
        self.leaders: dict[str, Leader] = {}
        # of the channels that one process at a time runs
        self.crm: SwitchableCrm = crm or DemoCrm(content.shop, now=self.clock.now, timezone=str(content.pack.zone))
        self.desk = desk_of(settings, content.pack, self.jobs)
        self.paces: dict[str, pace.Limits] = {}
        self.store = file_store.open_store(settings)
        # of attachments
        self.post = delivery.Post(
            sessions=self.sessions, channels=self.channels, jobs=self.jobs, clock=self.clock, paces=self.paces,
            files=self.store, cancel=content.pack.cancels,
        )  # fmt: skip
        self.tools = turns.Tools(
            desk=self.desk, nlu=nlu, crm=TimedCrm(self.crm, settings.crm_timeout), clock=self.clock, quiet=timedelta(seconds=self.quiet),
            patience=Patience(post=self.post, pack=content.pack, slow=settings.slow_seconds),
            attention=Attention(channels=self.channels),
            **({"down": down} if down else {}),
        )  # fmt: skip
        self.hold: conversations.Hold | None = None
        # what one customer may send; talks that a program or a terminal plays are not limited
        self.files = fetching.Files(
            sessions=self.sessions, channels=self.channels, desk=self.desk, clock=self.clock,
            store=self.store,
            limits=fetching.Limits.of(file_mb=settings.file_mb, day_mb=settings.files_mb_per_day, days=settings.files_days),
        )  # fmt: skip
        self.outside: Outside | None = None
        # what is told of requests; talks that a program or a terminal plays are told to nobody
        self.telegram_desks: TelegramDesks | None = None
        # groups where agents work
        self.jobs.register(jobs.TURN, self._take_turn)
        self.jobs.register(jobs.GIVE, self._give)
        self.jobs.register(jobs.DELIVERY, self._deliver)
        self.jobs.register(jobs.FILES, self._fetch_files)
        self.jobs.register(jobs.PLANNED, self._do_planned)
        self._taking_in = 0
        self._all_taken_in = asyncio.Event()
        self._all_taken_in.set()

    async def __aenter__(self) -> Self:
        await self.jobs.__aenter__()
        await self._seat_agents()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.jobs.__aexit__()
        for channel in self.channels.values():
            await channel.close()
        if self.outside is not None:
            await self.outside.close()
        if self.telegram_desks is not None:
            await self.telegram_desks.close()
        await self.engine.dispose()

    def add(self, channel: Channel, *, bot: str | None = None, limits: pace.Limits | None = None) -> None:
        """Connect a channel.

        bot: whose updates it fetches, if only one process of the installation at a time may do that
        limits: how fast all processes together may send to it
        """
        self.channels[channel.name] = channel
        if bot is not None:
            self.leaders[channel.name] = Leader(self.address, f"{channel.name}:{bot}")
        if limits is not None:
            self.paces[channel.name] = limits

    def connect(self) -> None:
        """Connect the messengers whose tokens are set, and the outside system that is told of requests.

        The messengers' customers may send so much and no more.
        """
        self.hold = Limits(
            pack=self.content.pack, a_minute=self.settings.flood_messages, an_hour=self.settings.flood_limit
        )
        limits = paces(self.settings)
        for channel, bot in messengers(self.settings, self.content.pack, self.offsets):
            self.add(channel, bot=bot, limits=limits.get(channel.name))
        self.tell(Outside.of(self.settings, sessions=self.sessions, work=self.jobs, clock=self.clock))
        if self.settings.telegram_desks:
            self._seat_in_telegram()

    def tell(self, outside: Outside | None) -> None:
        """Tell an outside system of requests from now on."""
        if outside is not None:
            self.outside = outside
            outbox.keep(self.sessions, self.clock.now)
            self.jobs.register(jobs.HOOKS, outside.send)
            if Role.SENDER in self.roles:
                self.kinds[jobs.HOOKS] = TELLERS

    def _seat_in_telegram(self) -> None:
        """Let agents work in Telegram groups, too."""
        from bot import forum

        self.telegram_desks = forum.TelegramDesks.of(
            self.settings,
            address=self.address,
            sessions=self.sessions,
            desk=self.desk,
            clock=self.clock,
            files=self.files,
        )
        if self.telegram_desks is not None:
            self.jobs.register(forum.FORUM, self.telegram_desks.obey)
            if Role.WORKER in self.roles:
                self.kinds[forum.FORUM] = forum.WORKERS

    async def receive(self, incoming: Incoming, *, turn: bool = True) -> None:
        """Store an update of a messenger together with the turn that will answer it."""
        self._taking_in += 1
        self._all_taken_in.clear()
        try:
            async with self.sessions.begin() as session:
                if incoming.kind is Kind.DESK:
                    if self.telegram_desks is not None:
                        await self.telegram_desks.take_in(session, incoming)
                    return
                await conversations.receive(session, self.jobs, incoming, quiet=self.quiet, turn=turn, hold=self.hold)
        finally:
            self._taking_in -= 1
            if not self._taking_in:
                self._all_taken_in.set()

    async def sweep(self) -> None:
        """Do what has fallen due, and give work that was left behind a job again."""
        await upkeep.upkeep(self.sessions, self.desk, self.clock, hooks=self.outside is not None)
        await tidying.tidy_hourly(self.files)
        if self.telegram_desks is not None:
            await self.telegram_desks.look_after()

    async def settle(self) -> None:
        """Do all work that is due now (scripted conversations, where no worker runs)."""
        await self.jobs.run_until_idle()

    async def run(self, *, until: Channel | None = None) -> None:
        """Do what the process's roles are, until cancelled or until one of the channels (a terminal) has ended.

        Cancelled, it finishes what is in hand: what has come in is stored, turns and calls that were begun are ended.
        """
        heard = self.channels if Role.RECEIVER in self.roles else {}
        receivers = [asyncio.create_task(self._listen(one), name=name) for name, one in heard.items()]
        tasks = [asyncio.create_task(self._work(), name="jobs")] if self.kinds else []
        if self.telegram_desks is not None and Role.SENDER in self.roles:
            tasks.append(asyncio.create_task(self.telegram_desks.run(), name="telegram_desks"))
        idle = asyncio.create_task(asyncio.Event().wait(), name="idle")
        last = [task for task in receivers if until is not None and task.get_name() == until.name]
        try:
            await asyncio.wait([idle, *tasks, *last], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (idle, *tasks):
                task.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STORED_WITHIN):
                    await self._all_taken_in.wait()
            for task in receivers:
                task.cancel()
            ended = await asyncio.gather(*receivers, *tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _work(self) -> None:
        """Do the roles' kinds of jobs; a worker looks for what was left behind, too."""
        sweep = self.sweep if Role.WORKER in self.roles else None
        await self.jobs.run(sweep, every=self.settings.sweep_seconds, kinds=self.kinds)

    async def _listen(self, channel: Channel) -> None:
        """Keep a channel running, in one process at a time. One that fails never takes the others with it."""
        leader = self.leaders.get(channel.name)
        if leader is None:
            await self._run_channel(channel)
        else:
            await leader.run(lambda: self._run_channel(channel))

    async def _run_channel(self, channel: Channel) -> None:
        signs.listens(channel.name, listening=True)
        try:
            while True:
                pause = CHANNEL_PAUSE
                try:
                    await channel.run(self.receive)
                    return
                except ChannelStopped as stopped:
                    log.error("channel_stopped", extra={"channel": channel.name, "why": str(stopped)})
                    signs.bad(signs.CHANNEL, channel.name, str(stopped), refused=True)
                    pause = TOKEN_PAUSE
                except Exception:
                    log.exception("channel_failed", extra={"channel": channel.name})
                await asyncio.sleep(pause)
        finally:
            signs.listens(channel.name, listening=False)

    async def _take_turn(self, conversation_id: int) -> None:
        async with self.sessions.begin() as session:
            await turns.take_turn(session, self.tools, conversation_id)

    async def _give(self, _: int) -> None:
        await giving.give_all(self.sessions, self.desk, self.clock)

    async def _deliver(self, conversation_id: int) -> None:
        await delivery.deliver(self.post, conversation_id)

    async def _do_planned(self, conversation_id: int) -> None:
        async with self.sessions.begin() as session:
            left = await planned.do_due(session, self.desk, conversation_id, self.clock.now())
            if left is not None:
                await self.jobs.add(session, jobs.PLANNED, conversation_id, delay=left)

    async def _fetch_files(self, conversation_id: int) -> None:
        await fetching.fetch(self.files, conversation_id)

    async def _seat_agents(self) -> None:
        """Bring the shop file's agents to the desk; those who are there already stay as an administrator has changed them."""
        async with self.sessions.begin() as session:
            known = {agent.name for agent in await agents.everyone(session)}
            for one in self.content.shop.agents:
                if one.name not in known:
                    await agents.save(
                        session, one.name, title=one.title, queues=one.queues, skills=one.skills, role=one.role,
                        on_shift=one.on_shift,
                    )  # fmt: skip
