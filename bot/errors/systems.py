"""Systems beside us: the NLU service, the shop's CRM, the company's own sign-in."""

from __future__ import annotations

from bot.errors.base import FirstlineError


class NluUnavailable(FirstlineError):
    """The NLU service does not answer."""

    status = 503


class CrmUnavailable(FirstlineError):
    """One of the shop's systems does not answer. `system` is the name the pack knows it by."""

    status = 503

    def __init__(self, message: str | None = None, *, system: str = "crm") -> None:
        super().__init__(message)
        self.system = system


class CrmActionUnknown(FirstlineError):
    """The shop's CRM has no such action."""


class OidcUnavailable(FirstlineError):
    """The company's own sign-in does not answer."""

    status = 503


class OidcRefused(FirstlineError):
    """The company's own sign-in does not vouch for this person."""

    status = 401
