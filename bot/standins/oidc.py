"""A stand-in for a company's sign-in: an OpenID Connect provider over HTTP on loopback, as the standard has it.

    async with OidcServer(client_id="desk", secret="…") as company:
        Settings(oidc_issuer=company.url, …)
        location = await company.agrees(url, preferred_username="anna")      # what the person does in the browser

What it keeps to: a code is good once, for its client, its redirect address and the verifier of its PKCE challenge; ID tokens
are RS256. `token`, `claims` and `faults` make it say what is wrong; `new_keys` changes its keys.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from bot.standins.loopback import LoopbackServer

Json = dict[str, Any]


@dataclass
class Code:
    """A sign-in to which a person has agreed."""

    asked: dict[str, str]
    person: Json


@dataclass
class Wrongs:
    """What the next answers have that they should not."""

    claims: Json = field(default_factory=dict)
    # over those of the ID token; None leaves one out
    header: Json = field(default_factory=dict)
    token: Json = field(default_factory=dict)
    # over the answer of the token endpoint
    about: Json = field(default_factory=dict)
    # over the description
    key: RSAKey | None = None
    # signs instead of the provider's own
    userinfo: Json = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    # path -> status instead of an answer


class OidcServer(LoopbackServer):
    """The provider, and the hands of its people."""

    def __init__(self, *, client_id: str = "desk", secret: str | None = "stand-in-secret") -> None:
        super().__init__()
        self.client_id, self.secret = client_id, secret
        self.codes: dict[str, Code] = {}
        self.wrong = Wrongs()
        self.thin = False
        # the ID token has nothing but what it must have: names come from userinfo
        self.auth: list[str] = []
        # how clients showed who they are: basic, post
        self._people: dict[str, Json] = {}
        self.new_keys()

    def new_keys(self) -> None:
        """Sign with another key from now on; the old one is no longer told."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})

    def agrees(self, url: str, **person: Any) -> str:
        """A person at the provider agrees; the address to which their browser is sent back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["client_id"] == self.client_id
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = Code(asked, {"sub": "p-1", **person})
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.url})}"

    def refuses(self, url: str, error: str = "access_denied") -> str:
        """A person at the provider says no."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return f"{asked['redirect_uri']}?{urlencode({'error': error, 'state': asked['state']})}"

    def routes(self, app: web.Application) -> None:
        """The endpoints."""
        app.router.add_get("/.well-known/openid-configuration", self._about)
        app.router.add_get("/keys", self._jwks)
        app.router.add_post("/token", self._token)
        app.router.add_get("/userinfo", self._userinfo)

    def _failed(self, request: web.Request) -> web.Response | None:
        self.calls.append(request.path)
        status = self.wrong.status.get(request.path)
        return web.Response(status=status, text="broken") if status is not None else None

    async def _about(self, request: web.Request) -> web.Response:
        about = {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys", "userinfo_endpoint": f"{self.url}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256"],
        }  # fmt: skip
        return self._failed(request) or web.json_response({**about, **self.wrong.about})

    async def _jwks(self, request: web.Request) -> web.Response:
        return self._failed(request) or web.json_response(KeySet([self.key]).as_dict(private=False))

    async def _token(self, request: web.Request) -> web.Response:
        if (failed := self._failed(request)) is not None:
            return failed
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not self._is_client(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or not self._fits(code, form):
            return web.json_response({"error": "invalid_grant"}, status=400)
        access = secrets.token_urlsafe(16)
        self._people[access] = code.person
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self._id_token(code, access),
        }
        return web.json_response({**answer, **self.wrong.token})

    def _is_client(self, request: web.Request, form: dict[str, str]) -> bool:
        header = request.headers.get("Authorization", "")
        if header.startswith("Basic "):
            self.auth.append("basic")
            return base64.b64decode(header[6:]).decode() == f"{self.client_id}:{self.secret}"
        self.auth.append("post")
        return form.get("client_id") == self.client_id and form.get("client_secret") == self.secret

    def _fits(self, code: Code, form: dict[str, str]) -> bool:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return (
            form.get("grant_type") == "authorization_code"
            and form.get("redirect_uri") == code.asked["redirect_uri"]
            and challenge == code.asked["code_challenge"]
        )

    def _id_token(self, code: Code, access: str) -> str:
        now = int(time.time())
        half = hashlib.sha256(access.encode()).digest()[:16]
        person = {"sub": code.person["sub"]} if self.thin else code.person
        claims = {
            **person, "iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": code.asked.get("nonce"),
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(), **self.wrong.claims,
        }  # fmt: skip
        key = self.wrong.key or self.key
        header = {"alg": "RS256", "kid": self.key.kid, **self.wrong.header}
        return jwt.encode(header, {name: value for name, value in claims.items() if value is not None}, key)

    async def _userinfo(self, request: web.Request) -> web.Response:
        if (failed := self._failed(request)) is not None:
            return failed
        person = self._people.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return web.Response(status=401) if person is None else web.json_response({**person, **self.wrong.userinfo})
