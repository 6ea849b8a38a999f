"""Coming in by the company's own sign-in, with a provider over real HTTP that can say what is wrong in each place."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from bot import agents, audit, staff
from bot.console.oidc import SENTENCES
from bot.standins.oidc import OidcServer
from tests.bot.accounts import PASSWORD, quick_passwords
from tests.bot.console.signing import Browser, Door, Opened, open_door

__all__ = ["open_door", "quick_passwords"]
pytestmark = pytest.mark.usefixtures("quick_passwords")


@pytest.fixture
async def company() -> AsyncIterator[OidcServer]:
    async with OidcServer() as server:
        yield server


def _settings(company: OidcServer, **more: Any) -> dict[str, Any]:
    secret = SecretStr(company.secret) if company.secret else None
    return {
        "oidc_issuer": company.url,
        "oidc_client_id": "desk",
        "oidc_client_secret": secret,
        "real_clock": True,
        **more,
    }


@pytest.fixture
async def door(open_door: Opened, company: OidcServer) -> AsyncIterator[Door]:
    async with open_door(**_settings(company)) as opened:
        await opened.seat("anna")
        yield opened


async def _there(browser: Browser, next: str = "/desk/profile") -> str:
    """Begin; the address of the provider to which the browser is sent."""
    await browser.get(f"/desk/sign-in?next={next}")
    assert "Войти через учётную запись компании" in browser.page
    answer = await browser.get(f"/desk/oidc?next={next}")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def _back(browser: Browser, location: str) -> httpx.Response:
    parts = urlsplit(location)
    return await browser.get(f"{parts.path}?{parts.query}")


async def _through(door: Door, company: OidcServer, **person: Any) -> tuple[Browser, httpx.Response]:
    """All of it: there, agreed, back."""
    browser = door.browser()
    url = await _there(browser)
    return browser, await _back(browser, company.agrees(url, **(person or {"preferred_username": "anna"})))


def _why(answer: httpx.Response) -> str:
    """Why the browser is led to the sign-in again."""
    assert answer.status_code == 303
    address = urlsplit(answer.headers["location"])
    assert address.path == "/desk/sign-in", answer.headers["location"]
    return parse_qs(address.query)["why"][0]


async def test_who_the_provider_names_is_in_and_where_they_wanted_to_be(door: Door, company: OidcServer) -> None:
    browser, answer = await _through(door, company)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/profile")
    assert "Anna" in (await browser.get("/desk/profile")).text
    assert not [name for name in browser.http.cookies if "oidc" in name]
    async with door.world.sessions() as session:
        entry = (await audit.page(session, audit.Wanted())).entries[0]
    assert (entry.action, entry.agent, entry.data, entry.address) == ("signed_in", "anna", {"by": "oidc"}, "127.0.0.1")


async def test_the_provider_is_asked_with_pkce_state_and_nonce_new_each_time(door: Door) -> None:
    asked = [parse_qs(urlsplit(await _there(door.browser())).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) >= 32
    assert asked[0]["redirect_uri"] == [f"{door.address}/desk/oidc/back"]


async def test_the_address_to_come_back_to_is_that_from_outside(open_door: Opened, company: OidcServer) -> None:
    async with open_door(**_settings(company, desk_url="https://desk.shop.example/")) as door:
        answer = await door.browser().get("/desk/oidc")
        asked = parse_qs(urlsplit(answer.headers["location"]).query)
        assert asked["redirect_uri"] == ["https://desk.shop.example/desk/oidc/back"]
        assert "Secure" in answer.headers["set-cookie"]


async def test_names_may_come_from_userinfo(door: Door, company: OidcServer) -> None:
    company.thin = True
    _, answer = await _through(door, company)
    assert answer.headers["location"] == "/desk/profile"
    company.wrong.userinfo = {"sub": "somebody else"}
    assert _why((await _through(door, company))[1]) == "refused"


async def test_the_secret_goes_the_way_that_the_provider_wants(door: Door, company: OidcServer) -> None:
    company.wrong.about = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await _through(door, company))[1].headers["location"] == "/desk/profile"
    assert company.auth == ["post"]


async def test_a_client_without_a_secret(open_door: Opened) -> None:
    async with OidcServer(secret=None) as company, open_door(**_settings(company)) as door:
        await door.seat("anna")
        assert (await _through(door, company))[1].headers["location"] == "/desk/profile"


async def test_new_keys_of_the_provider_are_asked_for(
    door: Door, company: OidcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _through(door, company)
    company.new_keys()
    assert _why((await _through(door, company))[1]) == "refused"  # asked for just now: nobody makes us ask all the time
    monkeypatch.setattr("bot.clients.oidc.KEYS_EVERY_SECONDS", 0.0)
    assert (await _through(door, company))[1].headers["location"] == "/desk/profile"


class TestWhoIsNotLetIn:
    @pytest.mark.parametrize(
        "person", [{"preferred_username": "nobody"}, {"preferred_username": "Anna"}, {"preferred_username": ["anna"]}, {"email": "anna"}]
    )  # fmt: skip
    async def test_who_is_not_at_the_desk_under_exactly_this_name(
        self, door: Door, company: OidcServer, person: Mapping[str, Any]
    ) -> None:
        browser, answer = await _through(door, company, **person)
        assert _why(answer) == "unknown"
        assert SENTENCES["unknown"] in (await browser.get(answer.headers["location"])).text
        assert (await browser.get("/desk/profile")).status_code == 303

    async def test_who_is_disabled(self, door: Door, company: OidcServer) -> None:
        async with door.world.sessions.begin() as session:
            await staff.disable(session, "anna", doer=staff.Doer(now=door.world.clock.now()))
        assert _why((await _through(door, company))[1]) == "unknown"
        async with door.world.sessions() as session:
            entry = (await audit.page(session, audit.Wanted())).entries[0]
        assert (entry.action, entry.agent) == ("sign_in_refused", "anna")

    async def test_an_address_that_the_provider_has_not_proven(self, open_door: Opened, company: OidcServer) -> None:
        async with open_door(**_settings(company, oidc_name_claim="email")) as door:
            await door.seat("anna@shop.example")
            assert (
                _why((await _through(door, company, email="anna@shop.example", email_verified=False))[1]) == "unknown"
            )
            _, answer = await _through(door, company, email="anna@shop.example", email_verified=True)
            assert answer.headers["location"] == "/desk/profile"


class TestTokensThatAreNotBelieved:
    @pytest.mark.parametrize(
        "claims",
        [
            {"nonce": "another"}, {"nonce": None}, {"aud": "other-client"}, {"aud": ["desk", "other"], "azp": "other"}, {"aud": None},
            {"iss": "https://evil.example"}, {"exp": -600}, {"exp": None}, {"sub": None},
            {"iat": 6000}, {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, {"nbf": 6000},
        ],
        ids=str,
    )  # fmt: skip
    async def test_with_a_wrong_claim(self, door: Door, company: OidcServer, claims: dict[str, Any]) -> None:
        now = int(time.time())
        company.wrong.claims = {name: now + said if isinstance(said, int) else said for name, said in claims.items()}
        browser, answer = await _through(door, company)
        assert _why(answer) == "refused"
        assert (await browser.get("/desk/profile")).status_code == 303

    async def test_signed_by_somebody_else(self, door: Door, company: OidcServer) -> None:
        company.wrong.key = RSAKey.generate_key(2048)
        assert _why((await _through(door, company))[1]) == "refused"

    @pytest.mark.parametrize("id_token", [None, "", "nonsense", "a.b.c", 7])
    async def test_that_are_none(self, door: Door, company: OidcServer, id_token: object) -> None:
        company.wrong.token = {"id_token": id_token}
        assert _why((await _through(door, company))[1]) == "refused"

    @pytest.mark.parametrize("alg", ["none", "HS256"])
    async def test_signed_with_nothing_or_with_what_we_know_too(
        self, door: Door, company: OidcServer, alg: str
    ) -> None:
        import base64
        import hmac
        import json

        company.wrong.about = {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
        browser = door.browser()
        back = company.agrees(await _there(browser), preferred_username="anna")
        asked = next(iter(company.codes.values())).asked
        now = int(time.time())
        claims = {
            "iss": company.url, "aud": "desk", "sub": "p-1", "nonce": asked["nonce"], "iat": now, "exp": now + 300,
            "preferred_username": "anna",
        }  # fmt: skip
        parts = [
            base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=")
            for one in ({"alg": alg, "kid": company.key.kid}, claims)
        ]
        secret = (company.secret or "").encode()
        signature = b"" if alg == "none" else hmac.digest(secret, b".".join(parts), "sha256")
        parts.append(base64.urlsafe_b64encode(signature).rstrip(b"="))
        company.wrong.token = {"id_token": b".".join(parts).decode()}
        assert _why(await _back(browser, back)) == "refused"


class TestTheWayBack:
    async def test_a_code_is_good_once(self, door: Door, company: OidcServer) -> None:
        browser = door.browser()
        location = company.agrees(await _there(browser), preferred_username="anna")
        kept = dict(browser.http.cookies)
        assert (await _back(browser, location)).headers["location"] == "/desk/profile"
        again = door.browser(Cookie="; ".join(f"{name}={value}" for name, value in kept.items()))
        assert _why(await _back(again, location)) == "refused"

    async def test_nobody_is_signed_in_by_a_link_that_another_has_prepared(
        self, door: Door, company: OidcServer
    ) -> None:
        await door.seat("mallory")
        theirs = company.agrees(await _there(door.browser()), preferred_username="mallory")
        victim = door.browser()
        assert _why(await _back(victim, theirs)) == "stale"
        await _there(victim)
        assert _why(await _back(victim, theirs)) == "stale"

    async def test_a_code_stolen_on_the_way_is_worth_nothing(self, door: Door, company: OidcServer) -> None:
        stolen = company.agrees(await _there(door.browser()), preferred_username="anna")
        thief = door.browser()
        url = await _there(thief)
        state = parse_qs(urlsplit(url).query)["state"][0]
        code = parse_qs(urlsplit(stolen).query)["code"][0]
        assert _why(await _back(thief, f"{door.address}/desk/oidc/back?code={code}&state={state}")) == "refused"

    async def test_an_answer_in_the_name_of_another_provider(self, door: Door, company: OidcServer) -> None:
        browser = door.browser()
        location = company.agrees(await _there(browser), preferred_username="anna")
        location = location.partition("&iss=")[0] + "&iss=https://evil.example"
        assert _why(await _back(browser, location)) == "stale"

    async def test_who_says_no_is_told_so(self, door: Door, company: OidcServer) -> None:
        browser = door.browser()
        answer = await _back(browser, company.refuses(await _there(browser)))
        assert _why(answer) == "denied"
        page = (await browser.get(answer.headers["location"])).text
        assert SENTENCES["denied"] in page
        assert 'value="/desk/profile"' in page

    @pytest.mark.parametrize("cookie", ["", "nonsense", "{}", '{"state":1}'])
    async def test_what_is_left_of_a_cookie_is_no_sign_in(self, door: Door, cookie: str) -> None:
        browser = door.browser(Cookie=f"firstline-oidc={cookie}")
        assert _why(await browser.get("/desk/oidc/back?code=x&state=")) == "stale"

    async def test_a_word_of_the_provider_is_never_shown(self, door: Door, company: OidcServer) -> None:
        browser = door.browser()
        answer = await _back(browser, company.refuses(await _there(browser), "<b>call 8-800 now</b>"))
        assert "8-800" not in (await browser.get(answer.headers["location"])).text
        assert "8-800" not in (await browser.get("/desk/sign-in?why=call 8-800")).text


class TestAProviderInTrouble:
    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration"])
    async def test_there_the_password_is_offered(self, door: Door, company: OidcServer, path: str) -> None:
        company.wrong.status = {path: 503}
        browser = door.browser()
        answer = await browser.get("/desk/oidc")
        assert _why(answer) == "down"
        assert SENTENCES["down"] in (await browser.get(answer.headers["location"])).text
        company.wrong.status = {}
        assert (await _through(door, company))[1].headers["location"] == "/desk/profile"
        assert (await door.browser().sign_in("anna", PASSWORD)).status_code == 303

    @pytest.mark.parametrize(
        ("path", "status", "why"),
        [("/token", 500, "down"), ("/token", 400, "refused"), ("/token", 429, "refused"), ("/keys", 500, "down")],
    )
    async def test_on_the_way_back(self, door: Door, company: OidcServer, path: str, status: int, why: str) -> None:
        company.wrong.status = {path: status}
        assert _why((await _through(door, company))[1]) == why

    @pytest.mark.parametrize(
        "about",
        [
            {"issuer": "https://evil.example"}, {"token_endpoint": None}, {"jwks_uri": "ftp://x"},
            {"authorization_endpoint": "javascript:alert(1)"},
        ],
    )  # fmt: skip
    async def test_a_description_that_does_not_fit_is_not_used(
        self, door: Door, company: OidcServer, about: dict[str, Any]
    ) -> None:
        company.wrong.about = about
        assert _why(await door.browser().get("/desk/oidc")) == "down"

    async def test_one_that_is_not_there(self, open_door: Opened, company: OidcServer) -> None:
        async with open_door(**_settings(company, oidc_issuer="http://127.0.0.1:1")) as door:
            assert _why(await door.browser().get("/desk/oidc")) == "down"


async def test_without_the_settings_there_is_no_such_way(open_door: Opened) -> None:
    async with open_door() as door:
        browser = door.browser()
        assert "учётную запись компании" not in (await browser.get("/desk/sign-in")).text
        assert (await browser.get("/desk/oidc")).status_code == 404
        assert (await browser.get("/desk/oidc/back")).status_code == 404


async def test_what_was_made_for_a_first_sign_in_is_gone_with_the_first_one(door: Door, company: OidcServer) -> None:
    async with door.world.sessions.begin() as session:
        password = await staff.reset(session, "anna", doer=staff.Doer(now=door.world.clock.now()))
    browser, answer = await _through(door, company)
    assert answer.headers["location"] == "/desk/profile"
    assert "Вы входите через учётную запись компании" in (await browser.get("/desk/profile")).text
    async with door.world.sessions() as session:
        assert (await agents.get(session, "anna")).password is None
    assert (await door.browser().sign_in("anna", password)).status_code == 401
