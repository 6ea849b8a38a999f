"""Accounts at the desk: who may be one, what changes, what becomes of passwords, and what the audit says of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import agents, attempts, audit, sign_ins, staff
from bot.errors import (
    AgentExists,
    AgentUnknown,
    CapacityInvalid,
    FirstlineError,
    NameInvalid,
    PasswordCommon,
    PasswordSame,
    PasswordShort,
    PasswordWrong,
    QueueUnknown,
    RoleUnknown,
    SignInHeldUp,
    SignInRefused,
    TelegramIdInvalid,
    TelegramIdTaken,
    TitleInvalid,
)
from tests.bot.accounts import PASSWORD, quick_passwords, seat
from tests.bot.world import START, World

__all__ = ["quick_passwords"]
pytestmark = pytest.mark.usefixtures("quick_passwords")
OLGA = staff.Doer(now=START, name="olga", address="198.51.100.7")
ANNA = staff.Place(title="Анна", queues=("desk",), skills=("vip",), capacity=3)
QUEUES = ("desk", "second")


async def _add(world: World, name: str = "anna", place: staff.Place = ANNA) -> str:
    async with world.sessions.begin() as session:
        return await staff.add(session, name, place, doer=OLGA, queues=QUEUES)


async def _do(world: World, what: Any, *args: Any, **more: Any) -> Any:
    async with world.sessions.begin() as session:
        return await what(session, *args, doer=OLGA, **more)


async def _agent(world: World, name: str = "anna") -> Any:
    async with world.sessions() as session:
        return await agents.get(session, name)


async def _enter(world: World, password: str, name: str = "anna") -> sign_ins.Came:
    return await sign_ins.enter(
        world.sessions, name=name, password=password, address=None, now=world.clock.now(), idle=timedelta(hours=12)
    )


async def _audited(world: World) -> list[tuple[str | None, str, dict[str, Any], str | None]]:
    async with world.sessions() as session:
        entries = (await audit.page(session, audit.Wanted())).entries
    return [(one.agent, one.action, dict(one.data), one.address) for one in reversed(entries)]


class TestAdding:
    async def test_a_new_person_gets_a_place_and_a_password_that_is_to_be_changed(self, world: World) -> None:
        password = await _add(world)
        anna = await _agent(world)
        assert (anna.title, anna.role, anna.queues, anna.skills, anna.capacity, anna.on_shift) == (
            "Анна", "agent", ["desk"], ["vip"], 3, False,
        )  # fmt: skip
        assert anna.password_temporary
        assert (await _enter(world, password)).agent.name == "anna"

    async def test_the_audit_says_who_did_it_and_not_the_password(self, world: World) -> None:
        password = await _add(world)
        (row,) = await _audited(world)
        assert row == ("olga", "staff_added", {"who": "anna", "role": "agent"}, "198.51.100.7")
        assert password not in str(row)

    @pytest.mark.parametrize("name", ["anna", "Anna"])
    async def test_nobody_has_the_name_of_another(self, world: World, name: str) -> None:
        await _add(world)
        with pytest.raises(AgentExists):
            await _add(world, name)

    @pytest.mark.parametrize("name", ["", "anna maria", "-anna", "a" * 65, "анна/../x", "anna\n"])
    async def test_a_name_is_something_one_can_type_and_see(self, world: World, name: str) -> None:
        if name.strip() == "anna":
            await _add(world, name)  # a stray line end is no part of it
            assert (await _agent(world)).name == "anna"
            return
        with pytest.raises(NameInvalid):
            await _add(world, name)

    @pytest.mark.parametrize("name", ["Анна", "a.petrova", "anna@shop.example", "anna-2"])
    async def test_names_of_other_sign_ins_fit(self, world: World, name: str) -> None:
        await _add(world, name)
        assert (await _agent(world, name)).name == name

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ({"title": "  "}, TitleInvalid),
            ({"title": "А" * 81}, TitleInvalid),
            ({"role": "boss"}, RoleUnknown),
            ({"queues": ("desk", "nowhere")}, QueueUnknown),
            ({"capacity": -1}, CapacityInvalid),
            ({"capacity": 101}, CapacityInvalid),
            ({"telegram_id": "@anna"}, TelegramIdInvalid),
        ],
    )
    async def test_what_does_not_fit_is_refused_when_adding_and_when_changing(
        self, world: World, wrong: dict[str, Any], error: type[FirstlineError]
    ) -> None:
        await _add(world, "boris")
        with pytest.raises(error):
            await _add(world, place=replace(ANNA, **wrong))
        with pytest.raises(error):
            await _do(world, staff.change, "boris", replace(ANNA, **wrong), queues=QUEUES)

    async def test_a_telegram_id_belongs_to_one_person(self, world: World) -> None:
        await _add(world, "boris", replace(ANNA, telegram_id="777000123"))
        with pytest.raises(TelegramIdTaken):
            await _add(world, place=replace(ANNA, telegram_id="777000123"))
        await _do(world, staff.change, "boris", replace(ANNA, telegram_id="777000123", title="Б"), queues=QUEUES)


class TestChanging:
    async def test_the_audit_names_what_changed(self, world: World) -> None:
        await _add(world)
        place = replace(ANNA, role="supervisor", queues=("desk", "second"))
        await _do(world, staff.change, "anna", place, queues=QUEUES)
        anna = await _agent(world)
        assert (anna.role, anna.queues) == ("supervisor", ["desk", "second"])
        data = {"who": "anna", "changed": ["role", "queues"], "role": "supervisor"}
        assert (await _audited(world))[-1] == ("olga", "staff_changed", data, "198.51.100.7")

    async def test_nothing_changed_leaves_no_line(self, world: World) -> None:
        await _add(world)
        await _do(world, staff.change, "anna", ANNA, queues=QUEUES)
        assert [row[1] for row in await _audited(world)] == ["staff_added"]

    async def test_a_queue_that_the_pack_no_longer_has_may_stay(self, world: World) -> None:
        await _add(world)
        await _do(world, staff.change, "anna", replace(ANNA, title="Аня"), queues=("second",))
        assert (await _agent(world)).queues == ["desk"]


class TestDisabling:
    async def test_a_disabled_person_is_off_shift_and_out(self, world: World) -> None:
        password = await _add(world)
        async with world.sessions.begin() as session:
            (await agents.get(session, "anna")).on_shift = True
        await _do(world, staff.disable, "anna")
        anna = await _agent(world)
        assert anna.disabled_at == START
        assert not anna.on_shift
        with pytest.raises(SignInRefused):
            await _enter(world, password)

    async def test_once_enabled_the_old_password_fits_again(self, world: World) -> None:
        password = await _add(world)
        await _do(world, staff.disable, "anna")
        await _do(world, staff.enable, "anna")
        assert (await _enter(world, password)).agent.name == "anna"
        actions = [row[1] for row in await _audited(world)]
        assert actions == ["staff_added", "staff_disabled", "staff_enabled", "signed_in"]

    async def test_doing_it_twice_is_said_once(self, world: World) -> None:
        await _add(world)
        for what in (staff.enable, staff.disable, staff.disable):
            await _do(world, what, "anna")
        assert [row[1] for row in await _audited(world)] == ["staff_added", "staff_disabled"]

    @pytest.mark.parametrize("what", [staff.disable, staff.enable, staff.reset])
    async def test_nobody_of_that_name(self, world: World, what: Any) -> None:
        with pytest.raises(AgentUnknown):
            await _do(world, what, "nobody")


class TestOnesOwnPassword:
    NEW = "три рыжих лисицы"

    async def _change(self, world: World, cookie: str = "", *, old: str = PASSWORD, new: str = NEW) -> None:
        async def slow(_: float) -> None:
            await asyncio.sleep(0)

        doer = staff.Doer(now=world.clock.now(), name="anna")
        await staff.change_password(world.sessions, "anna", old=old, new=new, cookie=cookie, doer=doer, slow=slow)

    async def test_a_temporary_one_becomes_ones_own(self, world: World) -> None:
        temporary = await _add(world)
        await self._change(world, old=temporary)
        assert not (await _agent(world)).password_temporary
        assert (await _enter(world, self.NEW)).agent.name == "anna"
        with pytest.raises(SignInRefused):
            await _enter(world, temporary)

    async def test_other_sign_ins_end_and_this_one_stays(self, world: World) -> None:
        await seat(world.sessions, "anna", "desk")
        here, there = (await _enter(world, PASSWORD)).cookie, (await _enter(world, PASSWORD)).cookie
        await self._change(world, here)
        async with world.sessions() as session:
            idle = timedelta(hours=1)
            assert await sign_ins.find(session, here, now=START, idle=idle)
            assert await sign_ins.find(session, there, now=START, idle=idle) is None

    @pytest.mark.parametrize(
        ("old", "new", "error"),
        [
            ("wrong", NEW, PasswordWrong),
            (PASSWORD, "short", PasswordShort),
            (PASSWORD, "qwerty12345", PasswordCommon),
            (PASSWORD, PASSWORD, PasswordSame),
        ],
    )
    async def test_refused_it_stays_as_it_was(
        self, world: World, old: str, new: str, error: type[FirstlineError]
    ) -> None:
        await seat(world.sessions, "anna", "desk")
        with pytest.raises(error):
            await self._change(world, old=old, new=new)
        assert (await _enter(world, PASSWORD)).agent.name == "anna"

    async def test_who_found_an_open_page_cannot_try_out_old_passwords(self, world: World) -> None:
        await seat(world.sessions, "anna", "desk")
        for number in range(attempts.NAME.most):
            with pytest.raises(PasswordWrong):
                await self._change(world, old=f"wrong {number}")
        with pytest.raises(SignInHeldUp):
            await self._change(world)
        assert [row[1] for row in await _audited(world)].count("password_refused") == attempts.NAME.most


class TestTheFirstToSignIn:
    async def _first(self, world: World) -> list[str] | None:
        async with world.sessions() as session:
            found = await staff.nobody_enters(session)
        return None if found is None else [agent.name for agent in found]

    async def test_nobody_is_seated(self, world: World) -> None:
        assert await self._first(world) == []

    async def test_who_works_comes_first_then_who_rules(self, world: World) -> None:
        await world.agent("anna", on_shift=False)
        await world.agent("root", role="admin", on_shift=False)
        await world.agent("tanya", role="trainer")
        await world.agent("zoya")
        assert await self._first(world) == ["zoya", "root", "anna", "tanya"]

    async def test_as_soon_as_one_can_nothing_has_to_be_said(self, world: World) -> None:
        await world.agent("boris")
        await _add(world)
        assert await self._first(world) is None
        await _do(world, staff.disable, "anna")
        assert await self._first(world) == ["boris"]
