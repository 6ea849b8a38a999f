"""Signing in: who gets in, what is kept of it, when it ends, and what happens to those who guess."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from bot import attempts, audit, passwords, sign_ins, staff
from bot.errors import SignInHeldUp, SignInRefused
from bot.models import SignIn
from tests.bot.accounts import PASSWORD, quick_passwords, seat
from tests.bot.world import World, make_world

__all__ = ["quick_passwords"]
pytestmark = pytest.mark.usefixtures("quick_passwords")
IDLE = timedelta(hours=12)
HERE = "198.51.100.7"


class Door:
    """The way in, with a record of how long each answer was held back."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.waited: list[float] = []

    async def enter(self, name: str = "anna", password: str = PASSWORD, address: str = HERE) -> sign_ins.Came:
        async def slow(seconds: float) -> None:
            self.waited.append(seconds)

        return await sign_ins.enter(
            self.world.sessions, name=name, password=password, address=address, now=self.world.clock.now(), idle=IDLE, slow=slow,
        )  # fmt: skip

    async def guess(self, times: int, **more: Any) -> None:
        for number in range(times):
            with pytest.raises(SignInRefused):
                await self.enter(password=f"wrong {number}", **more)

    async def held_up(self, **more: Any) -> float:
        with pytest.raises(SignInHeldUp) as refused:
            await self.enter(**more)
        return refused.value.after

    async def whose(self, cookie: str, *, asks: bool = True) -> str | None:
        async with self.world.sessions.begin() as session:
            found = await sign_ins.find(session, cookie, now=self.world.clock.now(), idle=IDLE, asks=asks)
            return found[1].name if found else None

    async def audited(self) -> list[tuple[str, str | None]]:
        async with self.world.sessions() as session:
            entries = (await audit.page(session, audit.Wanted())).entries
        return [(one.action, one.agent) for one in reversed(entries) if one.action != "staff_added"]

    async def doer(self) -> staff.Doer:
        return staff.Doer(now=self.world.clock.now())


@pytest.fixture
async def door(address: str) -> AsyncIterator[Door]:
    async with make_world(address) as world:
        await seat(world.sessions, "anna", "desk")
        await seat(world.sessions, "boris", "desk")
        yield Door(world)


class TestComingIn:
    async def test_name_and_password_let_in_and_the_cookie_stands_nowhere(self, door: Door) -> None:
        came = await door.enter()
        assert len(came.cookie) >= 43  # 32 bytes
        assert await door.whose(came.cookie) == "anna"
        async with door.world.sessions() as session:
            (kept,) = (await session.scalars(select(SignIn))).all()
            everything = str(
                [kept.digest, kept.form_token, await session.scalar(text("SELECT audit::text FROM audit"))]
            )
        assert came.cookie not in everything
        assert await door.audited() == [("signed_in", "anna")]

    async def test_each_sign_in_has_a_cookie_and_a_form_token_of_its_own(self, door: Door) -> None:
        cookies = {(await door.enter()).cookie for _ in range(3)}
        async with door.world.sessions() as session:
            tokens = set(await session.scalars(select(SignIn.form_token)))
        assert len(cookies) == len(tokens) == 3

    @pytest.mark.parametrize("name", [" Anna ", "ANNA"])
    async def test_the_name_may_be_typed_as_phones_type_it(self, door: Door, name: str) -> None:
        assert (await door.enter(name)).agent.name == "anna"

    async def test_a_wrong_password_a_wrong_name_and_a_disabled_account_are_refused_alike(self, door: Door) -> None:
        async with door.world.sessions.begin() as session:
            await staff.disable(session, "boris", doer=await door.doer())
        told = set()
        for name, password in (("anna", "wrong"), ("nobody", PASSWORD), ("boris", PASSWORD), ("", "")):
            with pytest.raises(SignInRefused) as refused:
                await door.enter(name, password)
            told.add(str(refused.value))
        assert len(told) == 1

    async def test_an_unknown_name_costs_the_same_work_as_a_wrong_password(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        verified: list[bool] = []
        hasher = passwords._ARGON2.hashers[0]
        real = type(hasher).verify

        def verify(self: Any, password: Any, digest: Any) -> bool:
            verified.append(True)
            return real(self, password, digest)

        monkeypatch.setattr(type(hasher), "verify", verify)
        for name in ("anna", "nobody"):
            verified.clear()
            with pytest.raises(SignInRefused):
                await door.enter(name, "wrong")
            assert verified == [True], name

    async def test_what_was_typed_as_a_name_is_written_down_only_if_it_is_one(self, door: Door) -> None:
        for name in ("anna", PASSWORD):
            with pytest.raises(SignInRefused):
                await door.enter(name, "wrong")
        assert await door.audited() == [("sign_in_refused", "anna"), ("sign_in_refused", None)]
        async with door.world.sessions() as session:
            rows = (await session.scalars(text("SELECT row_to_json(audit)::text FROM audit"))).all()
        assert PASSWORD not in str(rows)

    async def test_who_is_disabled_while_the_password_is_looked_at_does_not_come_in(self, door: Door) -> None:
        async def slow(_: float) -> None:
            async with door.world.sessions.begin() as session:
                await staff.disable(session, "anna", doer=await door.doer())

        with pytest.raises(SignInRefused):
            await sign_ins.enter(
                door.world.sessions, name="anna", password=PASSWORD, address=HERE, now=door.world.clock.now(), idle=IDLE, slow=slow
            )  # fmt: skip


class TestTheEnd:
    async def test_after_so_long_without_a_page(self, door: Door) -> None:
        cookie = (await door.enter()).cookie
        door.world.clock.forward(hours=11)
        assert await door.whose(cookie) == "anna"
        door.world.clock.forward(hours=11)
        assert await door.whose(cookie) == "anna"
        door.world.clock.forward(hours=12)
        assert await door.whose(cookie) is None

    async def test_an_open_page_alone_does_not_move_it_on(self, door: Door) -> None:
        cookie = (await door.enter()).cookie
        door.world.clock.forward(hours=11)
        assert await door.whose(cookie, asks=False) == "anna"
        door.world.clock.forward(hours=1)
        assert await door.whose(cookie, asks=False) is None

    async def test_after_a_week_in_any_case(self, door: Door) -> None:
        cookie = (await door.enter()).cookie
        for _ in range(15):
            door.world.clock.forward(hours=11)
            assert await door.whose(cookie) == "anna"
        door.world.clock.forward(hours=3)
        assert await door.whose(cookie) is None

    async def test_signed_out_here_and_nowhere_else(self, door: Door) -> None:
        here, there = (await door.enter()).cookie, (await door.enter()).cookie
        async with door.world.sessions.begin() as session:
            await sign_ins.end(session, here)
        assert await door.whose(here) is None
        assert await door.whose(there) == "anna"

    @pytest.mark.parametrize("what", [staff.disable, staff.reset])
    async def test_everywhere_when_disabled_or_given_another_password(self, door: Door, what: Any) -> None:
        cookies = [(await door.enter()).cookie, (await door.enter()).cookie]
        other = (await door.enter("boris")).cookie
        async with door.world.sessions.begin() as session:
            await what(session, "anna", doer=await door.doer())
        assert [await door.whose(cookie) for cookie in cookies] == [None, None]
        assert await door.whose(other) == "boris"

    async def test_the_rows_of_ended_ones_are_gone_with_the_next_sign_in(self, door: Door) -> None:
        await door.enter()
        door.world.clock.forward(hours=13)
        await door.enter("boris")
        async with door.world.sessions() as session:
            assert len((await session.scalars(select(SignIn))).all()) == 1


class TestGuessing:
    async def test_answers_grow_slow_and_then_there_are_none_even_to_the_right_password(self, door: Door) -> None:
        await door.guess(attempts.NAME.most)
        assert door.waited == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
        assert await door.held_up() == pytest.approx(120)

    async def test_a_name_that_nobody_has_is_held_up_at_the_same_moment(self, door: Door) -> None:
        for name in ("anna", "nobody"):
            await door.guess(attempts.NAME.most, name=name)
            await door.held_up(name=name)
        assert door.waited[:10] == door.waited[10:]

    async def test_whatever_case_or_address_the_name_is_guessed_with(self, door: Door) -> None:
        for number in range(attempts.NAME.most):
            await door.guess(1, name=("anna", "ANNA ", "Anna")[number % 3], address=f"198.51.100.{number}")
        await door.held_up(address="198.51.100.200")
        assert (await door.enter("boris")).agent.name == "boris"

    async def test_many_at_once_are_no_way_around(self, door: Door) -> None:
        outcomes = await asyncio.gather(
            *(door.enter(password="wrong", address=f"198.51.100.{number}") for number in range(25)), return_exceptions=True
        )  # fmt: skip
        kinds = [type(one) for one in outcomes]
        assert kinds.count(SignInRefused) == attempts.NAME.most
        assert kinds.count(SignInHeldUp) == 25 - attempts.NAME.most

    async def test_time_gives_one_attempt_after_the_other_back(self, door: Door) -> None:
        await door.guess(attempts.NAME.most)
        door.world.clock.forward(seconds=121)
        await door.guess(1)
        await door.held_up()
        door.world.clock.forward(seconds=121)
        assert (await door.enter()).agent.name == "anna"
        door.waited.clear()
        await door.guess(1)  # and with the right one all is forgotten
        assert door.waited == [0]

    async def test_a_new_password_from_an_administrator_lets_the_person_in_at_once(self, door: Door) -> None:
        await door.guess(attempts.NAME.most)
        async with door.world.sessions.begin() as session:
            password = await staff.reset(session, "anna", doer=await door.doer())
        assert (await door.enter(password=password)).agent.name == "anna"

    async def test_one_address_that_tries_many_names_is_held_up_and_others_are_not(self, door: Door) -> None:
        for number in range(attempts.ADDRESS.most):
            await door.guess(1, name=f"nobody{number}")
        await door.held_up()
        assert (await door.enter(address="198.51.100.8")).agent.name == "anna"

    async def test_an_office_that_signs_in_rightly_is_never_held_up(self, door: Door) -> None:
        for _ in range(attempts.ADDRESS.most + 5):
            await door.enter()

    async def test_one_household_has_many_ipv6_addresses(self, door: Door) -> None:
        for number in range(attempts.ADDRESS.most):
            await door.guess(1, name=f"nobody{number}", address=f"2001:db8:1:1::{number:x}")
        await door.held_up(address="2001:db8:1:1:ffff::1")
        assert (await door.enter(address="2001:db8:1:2::1")).agent.name == "anna"

    async def test_names_and_addresses_do_not_stand_in_the_table_as_names(self, door: Door) -> None:
        await door.guess(1)
        async with door.world.sessions() as session:
            keys = (await session.scalars(text("SELECT key FROM paces"))).all()
        assert len(keys) == 2
        assert not any("anna" in key for key in keys)
