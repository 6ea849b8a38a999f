"""Settings of one installation: environment variables with the prefix FIRSTLINE_, all with a default for a laptop."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingsInvalid

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def default_home() -> Path:
    """Where data lives unless told: the user's data folder; for root a folder of its own outside /root.

    The embedded PostgreSQL never runs as root, and its user has to be able to enter the folders above.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/firstline")
    return platformdirs.user_data_path("firstline")


class Settings(BaseSettings):
    """All settings. Secrets are SecretStr, so that no log shows them."""

    model_config = SettingsConfigDict(env_prefix="FIRSTLINE_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(default_factory=default_home)
    # data folder: embedded PostgreSQL, trained models, logs
    database_url: SecretStr | None = None
    # postgresql://…; none: an embedded PostgreSQL in `home`

    pack: str = "shop"
    # name of a shipped pack, or the path of a pack's folder
    shop_file: Path | None = None
    # shop data (YAML) for the demo CRM; none: the pack's demo shop

    telegram_token: SecretStr | None = None
    telegram_api_base: str = "https://api.telegram.org"
    vk_token: SecretStr | None = None
    vk_api_base: str = "https://api.vk.ru"
    public_url: str | None = None
    # https://… under which the messengers reach this installation: webhooks; none: it asks them (long polling)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    # health, metrics and webhooks of `firstline run`; 0: any free port

    nlu_url: str | None = None
    # one address or several, with commas between; none: `firstline` starts the NLU service itself
    nlu_token: SecretStr | None = None
    nlu_timeout: float = Field(default=10.0, gt=0)
    # seconds
    crm_timeout: float = Field(default=5.0, gt=0)
    # seconds

    slow_seconds: float = Field(default=3.0, gt=0)
    # when the shop's systems take longer the customer hears that the answer is being looked for (PHRASE-03)

    quiet_seconds: float = Field(default=2.0, ge=0)
    # a burst of messages is read as one turn when none comes for so long (CX-18)
    reopen_hours: float | None = Field(default=None, gt=0)
    # a reply within this time reopens a solved request (CX-07); none: the pack's setting of this name, or 24
    claim_seconds: float = Field(default=60.0, ge=0)
    # first claim of a VIP's personal manager (ruling 28)
    flood_messages: int = Field(default=30, ge=1)
    # so many messages of one customer a minute are read as they come; what is above waits and is read together
    flood_limit: int = Field(default=600, ge=1)
    # so many messages of one customer are stored in an hour; what is above is counted and left out

    session_hours: float = Field(default=12.0, gt=0)
    # a person at the desk who asks for no page for so long signs in again
    away_seconds: float = Field(default=120.0, gt=0)
    # an agent on shift whose pages are all closed for so long is off shift
    undo_seconds: float = Field(default=5.0, ge=0)
    # in which an agent's action can be undone
    desk_url: str | None = None
    # https://… under which agents reach the desk; none: http on loopback only
    desk_proxies: str = "127.0.0.0/8,::1"
    # with desk_url: the proxy's addresses or networks, with commas between; its X-Forwarded-For is believed
    oidc_issuer: str | None = None
    # https://… of the company's own sign-in (OpenID Connect); none: passwords of Firstline
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_name_claim: str = "preferred_username"
    # what holds the agent's name
    telegram_desks: dict[int, list[str]] = Field(default_factory=dict)
    # forum groups where agents work too: {"-1001234567890": ["general", "express"]}
    telegram_desk_per_minute: int = Field(default=20, ge=2)
    # messages that go into one such group in a minute, and apart from them topics: Telegram takes about 20
    events_url: str | None = None
    # an outside help desk that is told of requests
    events_secret: SecretStr | None = None
    # what each such call is signed with: whsec_ and base64 of 24 to 64 random bytes
    api_per_minute: int = Field(default=600, ge=1)
    # calls of one API key; a tenth of them may come at once

    files_url: str | None = None
    # s3://bucket/folder for attachments; none: a folder in `home`
    s3_endpoint: str | None = None
    # address of an S3-compatible store; none: AWS
    s3_region: str = "us-east-1"
    s3_key_id: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    file_mb: float = Field(default=20.0, gt=0)
    # size of one attachment at the most
    files_mb_per_day: float = Field(default=200.0, gt=0)
    # size of one customer's attachments in a day
    files_days: int = Field(default=180, ge=1)
    # how long attachments are kept

    log: Literal["text", "json"] = "text"
    sentry_dsn: SecretStr | None = None

    workers: int = Field(default=8, ge=1)
    # turns taken at the same time by one process
    senders: int = Field(default=8, ge=1)
    # conversations that one process delivers to at the same time
    heartbeat_seconds: float = Field(default=2.0, gt=0)
    # how often a process says that it lives
    stalled_seconds: float = Field(default=8.0, gt=0)
    # a job whose process gave no sign of life for so long is done again
    sweep_seconds: float = Field(default=2.0, gt=0)
    # how often is looked for what has fallen due or was left behind

    telegram_per_second: float = Field(default=25.0, gt=0)
    # messages that all processes together send; Telegram takes 30
    telegram_chat_seconds: float = Field(default=1.0, ge=0)
    # between two messages of one chat, after a burst of three
    vk_per_second: float = Field(default=18.0, gt=0)
    # VK takes 20 calls of any kind

    def url(self) -> str | None:
        """The database's address, or None for the embedded one."""
        return self.database_url.get_secret_value() if self.database_url else None

    @field_validator("files_url")
    @classmethod
    def _bucket(cls, url: str | None) -> str | None:
        if url is not None and not url.removeprefix("s3://").split("/")[0]:
            raise ValueError("must name a bucket, like s3://bucket/folder")
        if url is not None and not url.startswith("s3://"):
            raise ValueError("must be an S3 address, like s3://bucket/folder")
        return url

    @field_validator("desk_url", "oidc_issuer")
    @classmethod
    def _web(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", url):
            raise ValueError("must be a web address, like https://desk.shop.example")
        return url

    @field_validator("oidc_issuer")
    @classmethod
    def _no_eavesdropper(cls, url: str | None) -> str | None:
        if url is not None and url.startswith("http:") and urlsplit(url).hostname not in LOOPBACK:
            raise ValueError("must be an https address")
        return url

    @field_validator("desk_proxies")
    @classmethod
    def _networks(cls, networks: str) -> str:
        for one in networks.split(","):
            try:
                ipaddress.ip_network(one.strip())
            except ValueError:
                raise ValueError(
                    "must be addresses or networks with commas between, like 127.0.0.1,10.0.0.0/8"
                ) from None
        return networks

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be the address of a PostgreSQL, like postgresql://user@host/database")
        return url


def load() -> Settings:
    """Read the settings; SettingsInvalid names each one that is wrong, never its value."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [
            f"FIRSTLINE_{'.'.join(map(str, one['loc'])).upper()}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        ]
        raise SettingsInvalid("; ".join(wrong)) from None
