"""The company's own sign-in (OpenID Connect): the authorization code flow with PKCE, state and nonce.

    asked = await provider.begin(redirect_uri)              # keep `asked`, send the browser to asked.url
    claims = await provider.finish(asked, code=code, redirect_uri=redirect_uri)

What the provider says of a person is believed only from an ID token that it signed for us, for this very sign-in, just now.
Whatever goes wrong is OidcUnavailable (it does not answer, or not what the standard says) or OidcRefused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from bot.errors import OidcRefused, OidcUnavailable

log = logging.getLogger(__name__)

TIMEOUT = 10.0
# seconds for each call
KEPT_SECONDS = 3600.0
# how long the provider's description and keys are used
KEYS_EVERY_SECONDS = 30.0
# an unknown key makes us ask for the keys again, at most so often
LEEWAY = 60
# seconds by which the clocks may differ
SCOPE = "openid profile email"
SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# with the provider's own key: never "none", never a secret that we know too


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A sign-in that has begun: where to send the browser, and what has to come back with it."""

    url: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """One OpenID Connect provider, at which Firstline is registered as a client."""

    def __init__(
        self,
        issuer: str,
        *,
        client_id: str,
        secret: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.issuer, self.client_id, self._secret, self._transport = issuer.rstrip("/"), client_id, secret, transport
        self._about: dict[str, Any] = {}
        self._about_at = self._keys_at = float("-inf")
        self._keys: KeySet | None = None

    async def begin(self, redirect_uri: str) -> Asked:
        """What a browser needs to be sent to the provider."""
        about = await self._description()
        state, nonce, verifier = generate_token(32), generate_token(32), generate_token(64)
        url = prepare_grant_uri(
            about["authorization_endpoint"], self.client_id, "code", redirect_uri=redirect_uri, scope=SCOPE, state=state,
            nonce=nonce, code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256",
        )  # fmt: skip
        return Asked(url=url, state=state, nonce=nonce, verifier=verifier)

    async def finish(
        self, *, code: str, nonce: str, verifier: str, redirect_uri: str, now: datetime, wanted: str
    ) -> Mapping[str, Any]:
        """What the provider says of the person whose browser came back with a code; `wanted` is the claim that is needed.

        Raises OidcRefused when the code or the ID token is not for this sign-in.
        """
        about = await self._description()
        token = await self._token(about, code=code, verifier=verifier, redirect_uri=redirect_uri)
        claims = await self._read(about, token, nonce=nonce, now=now)
        if wanted not in claims and about.get("userinfo_endpoint"):
            more = await self._userinfo(about, token)
            if more.get("sub") != claims["sub"]:
                raise OidcRefused("The provider speaks of two different people.")
            claims = {**more, **claims}
        return claims

    # ------------------------------------------------------------------------------------------------ parts of them
    async def _description(self) -> dict[str, Any]:
        if time.monotonic() - self._about_at > KEPT_SECONDS:
            about = await self._get(f"{self.issuer}/.well-known/openid-configuration")
            if str(about.get("issuer", "")).rstrip("/") != self.issuer:
                raise OidcUnavailable("The provider calls itself by another address than FIRSTLINE_OIDC_ISSUER.")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not self._is_safe(about.get(name)):
                    raise OidcUnavailable(f"The provider's description has no {name} with https.")
            self._about, self._about_at = about, time.monotonic()
        return self._about

    async def _token(self, about: dict[str, Any], *, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        ways = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        auth: httpx.BasicAuth | None = None
        if self._secret is not None and "client_secret_basic" in ways:
            auth = httpx.BasicAuth(self.client_id, self._secret)
        else:
            form |= {"client_id": self.client_id} | ({"client_secret": self._secret} if self._secret else {})
        return await self._call("POST", about["token_endpoint"], data=form, auth=auth)

    async def _read(self, about: dict[str, Any], token: dict[str, Any], *, nonce: str, now: datetime) -> dict[str, Any]:
        """The claims of the ID token, once its signature, issuer, audience, time and nonce are seen to be right."""
        supported = about.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=[one for one in SIGNED_BY if one in supported], strict_check_header=False)
        raw = str(token.get("id_token") or "")
        try:
            try:
                found = jwt.decode(raw, await self._key_set(about), registry=registry)
            except InvalidKeyIdError:  # the provider has changed its keys
                found = jwt.decode(raw, await self._key_set(about, anew=True), registry=registry)
            claims = CodeIDToken(
                found.claims,
                found.header,
                {
                    "iss": {"essential": True, "value": about["issuer"]},
                    "aud": {"essential": True, "value": self.client_id},
                },
                {"nonce": nonce, "client_id": self.client_id, "access_token": token.get("access_token")},
            )
            claims.validate(int(now.timestamp()), LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            log.warning("oidc_token_refused", extra={"error": type(error).__name__})
            raise OidcRefused("The provider's ID token is not valid for this sign-in.") from error
        return dict(claims)

    async def _userinfo(self, about: dict[str, Any], token: dict[str, Any]) -> dict[str, Any]:
        url = about["userinfo_endpoint"]
        if not self._is_safe(url):
            return {}
        return await self._call("GET", url, headers={"Authorization": f"Bearer {token.get('access_token')}"})

    async def _key_set(self, about: dict[str, Any], *, anew: bool = False) -> KeySet:
        age = time.monotonic() - self._keys_at
        if self._keys is None or age > (KEYS_EVERY_SECONDS if anew else KEPT_SECONDS):
            self._keys, self._keys_at = KeySet.import_key_set(await self._get(about["jwks_uri"])), time.monotonic()
        return self._keys

    async def _get(self, url: str) -> Any:
        return await self._call("GET", url)

    async def _call(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT, transport=self._transport) as http:
                answer = await http.request(method, url, **more)
            if 400 <= answer.status_code < 500 and method == "POST":
                raise OidcRefused("The provider does not accept the code.")
            body = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("oidc_down", extra={"error": type(error).__name__})
            raise OidcUnavailable from error
        if not isinstance(body, dict):
            raise OidcUnavailable
        return body

    def _is_safe(self, url: object) -> bool:
        """https, or like the issuer itself (which is http on loopback only)."""
        return isinstance(url, str) and urlsplit(url).scheme in ("https", urlsplit(self.issuer).scheme)
