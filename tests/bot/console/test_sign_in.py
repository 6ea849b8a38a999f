"""Coming in and going out: what a browser is sent, what it has to bring along, and where it is led."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http.cookies import SimpleCookie

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bot import attempts, audit, staff
from bot.console import live, seat
from tests.bot.accounts import PASSWORD, quick_passwords
from tests.bot.console.signing import Browser, Door, Opened, door, open_door

__all__ = ["door", "open_door", "quick_passwords"]
pytestmark = pytest.mark.usefixtures("quick_passwords")
NEW = "три рыжих лисицы"


def _cookie(answer: httpx.Response, name: str = "firstline") -> dict[str, str]:
    """The attributes of a cookie that an answer sets."""
    for header in answer.headers.get_list("set-cookie"):
        morsel = SimpleCookie(header).get(name)
        if morsel is not None:
            return {"value": morsel.value, **{key: str(value) for key, value in morsel.items() if value}}
    raise AssertionError(f"no cookie {name}")


class TestComingIn:
    async def test_who_is_not_signed_in_is_led_to_the_sign_in_and_then_where_they_wanted(self, door: Door) -> None:
        browser = door.browser()
        answer = await browser.get("/desk/profile?tab=1")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/desk/sign-in?next=%2Fdesk%2Fprofile%3Ftab%3D1"
        assert (await browser.get(answer.headers["location"])).status_code == 200
        assert 'value="/desk/profile?tab=1"' in browser.page
        answer = await browser.sign_in(next="/desk/profile?tab=1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk/profile?tab=1")
        assert "Анна Петрова" in (await browser.get("/desk/profile?tab=1")).text

    async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(self, door: Door) -> None:
        cookie = _cookie(await door.browser().sign_in())
        assert cookie["path"] == "/desk"
        assert cookie["httponly"] == "True"
        assert cookie["samesite"] == "lax"
        assert "secure" not in cookie
        assert "domain" not in cookie

    async def test_behind_https_it_is_for_https_only(self, open_door: Opened) -> None:
        async with open_door(desk_url="https://desk.shop.example") as door:
            await door.seat("anna")
            answer = await door.browser().sign_in()
            assert _cookie(answer, "__Secure-firstline")["secure"] == "True"

    @pytest.mark.parametrize(
        "next",
        [
            "https://evil.example/", "//evil.example", "/\\evil.example", "/desk\\..\\x", "javascript:alert(1)", "/other",
            "/desk/\nSet-Cookie: a=b", "/deskx", "/desk//" + "a" * 600, "http:/desk/", " /desk/",
        ],
    )  # fmt: skip
    async def test_nobody_is_led_away_from_the_desk(self, door: Door, next: str) -> None:
        assert (await door.browser().sign_in(next=next)).headers["location"] == "/desk/"

    async def test_refusals_tell_nothing(self, door: Door) -> None:
        seen = set()
        for name, password in (("anna", "wrong"), ("nobody", PASSWORD)):
            browser = door.browser()
            answer = await browser.sign_in(name, password)
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers
            seen.add(answer.text.replace(f'value="{name}"', ""))
        assert len(seen) == 1
        assert "Имя или пароль не подходят" in seen.pop()

    async def test_the_password_never_comes_back_to_the_page(self, door: Door) -> None:
        answer = await door.browser().sign_in("anna", "secret-guess-77")
        assert "secret-guess-77" not in answer.text
        assert 'value="anna"' in answer.text

    async def test_after_too_many_attempts_the_page_says_when_to_come_back(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(attempts, "SLOWEST", 0.0)
        browser = door.browser()
        for _ in range(attempts.NAME.most):
            assert (await browser.sign_in(password="wrong")).status_code == 401
        answer = await browser.sign_in()
        assert answer.status_code == 429
        assert "Слишком много попыток. Попробуйте снова через 2 мин." in answer.text
        assert 100 < int(answer.headers["retry-after"]) <= 120

    async def test_two_processes_count_together(
        self, open_door: Opened, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(attempts, "SLOWEST", 0.0)
        async with open_door() as other:
            for number in range(attempts.NAME.most):
                await (door, other)[number % 2].browser().sign_in(password="wrong")
            assert (await other.browser().sign_in()).status_code == 429

    async def test_a_form_of_another_site_signs_nobody_in(self, door: Door) -> None:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            data = {"name": "anna", "password": PASSWORD}
            assert (await door.browser().post("/desk/sign-in", data, headers=headers)).status_code == 403

    async def test_who_signs_in_again_is_no_longer_who_they_were(self, door: Door) -> None:
        await door.seat("boris")
        browser = await door.inside("anna")
        old = browser.http.cookies["firstline"]
        await browser.sign_in("boris")
        assert (await door.browser(Cookie=f"firstline={old}").get("/desk/profile")).status_code == 303

    async def test_who_is_in_already_needs_no_sign_in(self, door: Door) -> None:
        browser = await door.inside()
        answer = await browser.get("/desk/sign-in?next=/desk/profile")
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk/profile")

    async def test_the_desk_itself_needs_a_sign_in(self, door: Door) -> None:
        for path in ("/desk/profile", "/desk/password", "/desk/people", "/desk/audit"):
            answer = await door.browser().get(path)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/desk/sign-in"), path


class TestGoingOut:
    async def test_signed_out_the_cookie_is_worth_nothing(self, door: Door) -> None:
        browser = await door.inside()
        cookie = browser.http.cookies["firstline"]
        answer = await browser.post("/desk/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk/sign-in")
        assert "firstline" not in browser.http.cookies
        assert (await door.browser(Cookie=f"firstline={cookie}").get("/desk/profile")).status_code == 303
        async with door.world.sessions() as session:
            assert (await audit.page(session, audit.Wanted())).entries[0].action == "signed_out"

    async def test_the_time_without_a_page_is_that_of_the_settings(self, open_door: Opened) -> None:
        async with open_door(session_hours=1) as door:
            await door.seat("anna")
            browser = await door.inside()
            door.world.clock.forward(minutes=59)
            assert (await browser.get("/desk/profile")).status_code == 200
            door.world.clock.forward(minutes=61)
            assert (await browser.get("/desk/profile")).status_code == 303

    async def test_disabled_the_next_page_is_the_sign_in(self, door: Door) -> None:
        browser = await door.inside()
        async with door.world.sessions.begin() as session:
            await staff.disable(session, "anna", doer=staff.Doer(now=door.world.clock.now()))
        assert (await browser.get("/desk/profile")).status_code == 303

    async def test_on_other_devices_only(self, door: Door) -> None:
        here, there = await door.inside(), await door.inside()
        await here.get("/desk/profile")
        assert "ещё в одном браузере" in here.page
        await here.post("/desk/profile/elsewhere")
        assert (await here.get("/desk/profile")).status_code == 200
        assert (await there.get("/desk/profile")).status_code == 303

    async def test_a_call_of_htmx_is_led_there_as_a_whole_page(self, door: Door) -> None:
        headers = {"HX-Request": "true", "HX-Current-URL": f"{door.address}/desk/requests/T-1?x=1"}
        answer = await door.browser().get("/desk/profile", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/desk/sign-in?next=%2Fdesk%2Frequests%2FT-1%3Fx%3D1"


class TestForms:
    @pytest.mark.parametrize("token", [None, "", "other", "токен"])
    async def test_without_the_token_of_the_sign_in_nothing_is_done(self, door: Door, token: str | None) -> None:
        browser = await door.inside()
        browser.page = ""
        answer = await browser.post(
            "/desk/profile/quiet", {"on": "1"} | ({"form_token": token} if token is not None else {})
        )
        assert answer.status_code == 403
        assert "Страница устарела" in answer.text
        assert "Выключить звук" in (await browser.get("/desk/profile")).text

    async def test_the_token_of_another_sign_in_is_none(self, door: Door) -> None:
        await door.seat("boris")
        other = await door.inside("boris")
        browser = await door.inside()
        browser.page = other.page
        assert (await browser.post("/desk/profile/quiet", {"on": "1"})).status_code == 403

    async def test_the_token_may_stand_in_a_header(self, door: Door) -> None:
        browser = await door.inside()
        token = browser.page.split('name="form_token" value="')[1].split('"')[0]
        browser.page = ""
        headers = {"X-Form-Token": token}
        assert (await browser.post("/desk/profile/quiet", {"on": "1"}, headers=headers)).status_code == 303
        assert "Включить звук" in (await browser.get("/desk/profile")).text

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
            {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        ],
    )  # fmt: skip
    async def test_a_page_of_somebody_else_can_do_nothing_even_with_the_token(
        self, door: Door, headers: dict[str, str]
    ) -> None:
        browser = await door.inside()
        assert (await browser.post("/desk/profile/quiet", {"on": "1"}, headers=headers)).status_code == 403

    async def test_behind_a_proxy_the_address_from_outside_counts(self, open_door: Opened) -> None:
        async with open_door(desk_url="https://desk.shop.example/desk") as door:
            await door.seat("anna")
            browser = door.browser()
            answer = await browser.sign_in()
            cookie = _cookie(answer, "__Secure-firstline")["value"]
            browser = door.browser(Cookie=f"__Secure-firstline={cookie}")
            await browser.get("/desk/profile")
            for origin, status in (("https://desk.shop.example", 303), ("https://shop.example", 403)):
                answer = await browser.post("/desk/profile/quiet", {"on": "1"}, headers={"Origin": origin})
                assert answer.status_code == status, origin


class TestATemporaryPassword:
    async def _newcomer(self, door: Door) -> tuple[Browser, str]:
        async with door.world.sessions.begin() as session:
            place = staff.Place(title="Вера", queues=("desk",))
            password = await staff.add(
                session, "vera", place, doer=staff.Doer(now=door.world.clock.now()), queues=("desk",)
            )
        browser = door.browser()
        answer = await browser.sign_in("vera", password, next="/desk/profile")
        assert answer.headers["location"] == "/desk/password"
        return browser, password

    async def test_opens_nothing_but_its_change(self, door: Door) -> None:
        browser, _ = await self._newcomer(door)
        answer = await browser.get("/desk/profile")
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk/password")
        assert "Придумайте пароль" in (await browser.get("/desk/password")).text
        assert (await browser.post("/desk/profile/quiet", {"on": "1"})).headers["location"] == "/desk/password"

    async def test_changed_it_leads_to_the_desk(self, door: Door) -> None:
        browser, password = await self._newcomer(door)
        await browser.get("/desk/password")
        answer = await browser.post("/desk/password", {"old": password, "new": NEW, "again": NEW})
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk/")
        assert (await browser.get("/desk/profile")).status_code == 200
        assert (await door.browser().sign_in("vera", NEW)).headers["location"] == "/desk/"

    async def test_one_may_leave_instead(self, door: Door) -> None:
        browser, _ = await self._newcomer(door)
        await browser.get("/desk/password")
        assert (await browser.post("/desk/sign-out")).headers["location"] == "/desk/sign-in"


class TestOnesOwnPassword:
    @pytest.mark.parametrize(
        ("old", "new", "again", "sentence"),
        [
            ("wrong", NEW, NEW, "Нынешний пароль введён неверно"),
            (PASSWORD, NEW, "другой пароль совсем", "Пароли не совпали"),
            (PASSWORD, "коротко", "коротко", "Нужно хотя бы 10 знаков"),
            (PASSWORD, "qwerty12345", "qwerty12345", "подбирают первым"),
            (PASSWORD, "АннаПетрова", "АннаПетрова", "не должен совпадать с именем"),
            (PASSWORD, PASSWORD, PASSWORD, "Новый пароль такой же"),
            (PASSWORD, "ж" * 201, "ж" * 201, "Не длиннее 200 знаков"),
        ],
    )
    async def test_the_page_says_what_is_wrong_and_shows_no_password(
        self, door: Door, old: str, new: str, again: str, sentence: str
    ) -> None:
        browser = await door.inside()
        answer = await browser.post("/desk/password", {"old": old, "new": new, "again": again})
        assert answer.status_code == 422
        assert sentence in answer.text
        assert new not in answer.text
        assert (await door.browser().sign_in()).status_code == 303

    async def test_changed_other_browsers_are_signed_out(self, door: Door) -> None:
        browser, other = await door.inside(), await door.inside()
        assert (await browser.post("/desk/password", {"old": PASSWORD, "new": NEW, "again": NEW})).status_code == 303
        assert "Пароль изменён" in (await browser.get("/desk/profile")).text
        assert (await other.get("/desk/profile")).status_code == 303


class TestWhatEachAnswerSays:
    async def test_all_of_the_desk_has_the_headers(self, door: Door) -> None:
        browser = await door.inside()
        for path in ("/desk/sign-in", "/desk/profile", "/desk/nowhere", "/desk/static/desk.css"):
            headers = (await browser.get(path)).headers
            policy = headers["content-security-policy"]
            assert "script-src 'self';" in policy, path
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cache-control"] == (
                "no-store" if "static" not in path else "public, max-age=31536000, immutable"
            )

    async def test_pages_have_no_scripts_or_styles_of_their_own_that_the_policy_would_stop(self, door: Door) -> None:
        browser = await door.inside()
        for path in ("/desk/sign-in", "/desk/profile"):
            await browser.get(path)
            for wrong in ("<style", " style=", "<script>", " onclick="):
                assert wrong not in browser.page, (path, wrong)

    async def test_what_is_not_there_is_a_page_in_russian(self, door: Door) -> None:
        answer = await (await door.inside()).get("/desk/nowhere")
        assert answer.status_code == 404
        assert "Такой страницы нет" in answer.text
        assert 'aria-label="Разделы"' in answer.text  # one goes on from there
        assert 'aria-label="Разделы"' not in (await door.browser().get("/desk/nowhere")).text

    async def test_who_is_not_signed_in_cannot_send_files(self, door: Door) -> None:
        files = {"file": ("a.bin", b"x" * 200_000)}
        answer = await door.browser().http.post("/desk/sign-in", files=files)
        assert answer.status_code == 413
        forged = await door.browser(Cookie="firstline=forged").http.post("/desk/sign-in", files=files)
        assert forged.status_code == 413

    async def test_a_body_of_unknown_size_is_stopped_on_the_way(self, door: Door) -> None:
        async def endless() -> asyncio.AsyncIterator[bytes]:  # type: ignore[name-defined]
            for _ in range(50):
                yield b"name=" + b"x" * 10_000

        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await door.browser().http.post("/desk/sign-in", content=endless(), headers=headers)).status_code == 413


class TestTheAddress:
    @pytest.mark.parametrize(
        ("settings", "forwarded", "counted"),
        [
            ({}, "203.0.113.9", "127.0.0.1"),
            ({"desk_url": "https://desk.example"}, "203.0.113.9", "203.0.113.9"),
            ({"desk_url": "https://desk.example"}, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ({"desk_url": "https://desk.example"}, "nonsense", "127.0.0.1"),
            ({"desk_url": "https://desk.example"}, None, "127.0.0.1"),
            ({"desk_url": "https://desk.example", "desk_proxies": "10.0.0.0/8"}, "203.0.113.9", "127.0.0.1"),
        ],
    )
    async def test_only_a_proxy_of_ours_is_believed(
        self, open_door: Opened, settings: dict[str, str], forwarded: str | None, counted: str
    ) -> None:
        async with open_door(**settings) as door:
            await door.seat("anna")
            headers = {"X-Forwarded-For": forwarded} if forwarded else {}
            await door.browser(**headers).sign_in()
            async with door.world.sessions() as session:
                assert (await audit.page(session, audit.Wanted(action="signed_in"))).entries[0].address == counted


class TestTheSocket:
    async def _closed(self, door: Door, headers: dict[str, str]) -> int:
        url = door.address.replace("http", "ws") + "/desk/live?view=none"
        async with connect(url, additional_headers=headers) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 10)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code

    async def test_is_for_who_is_signed_in_and_for_our_own_pages(self, door: Door) -> None:
        cookie = {"Cookie": f"firstline={(await door.inside()).http.cookies['firstline']}"}
        assert await self._closed(door, {**cookie, "Origin": door.address}) == live.NOT_FOUND  # signed in, no such view
        assert await self._closed(door, cookie) == live.SIGNED_OUT
        assert await self._closed(door, {**cookie, "Origin": "https://evil.example"}) == live.SIGNED_OUT
        assert await self._closed(door, {"Origin": door.address}) == live.SIGNED_OUT

    async def test_an_open_page_does_not_keep_the_sign_in_alive(self, door: Door) -> None:
        browser = await door.inside()
        cookie = {"Cookie": f"firstline={browser.http.cookies['firstline']}", "Origin": door.address}
        door.world.clock.forward(hours=11)
        assert await self._closed(door, cookie) == live.NOT_FOUND
        door.world.clock.forward(hours=1, seconds=1)
        assert await self._closed(door, cookie) == live.SIGNED_OUT


def test_idle_time_comes_from_the_settings() -> None:
    from bot.settings import Settings

    assert seat.idle(Settings(session_hours=0.5, _env_file=None)) == timedelta(minutes=30)
