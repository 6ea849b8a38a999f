"""Calls of the REST interface, and their keys."""

from __future__ import annotations

from bot.errors.base import FirstlineError


class KeyRefused(FirstlineError):
    """The call needs a valid API key: Authorization: Bearer …"""

    status = 401


class KeyExists(FirstlineError):
    """There is an API key of this name already."""

    status = 409


class KeyUnknown(FirstlineError):
    """There is no API key of this name."""

    status = 404


class RoleRefused(FirstlineError):
    """The person in whose name this key works may read requests, but not work on them."""

    status = 403


class TooManyCalls(FirstlineError):
    """This key makes too many calls. `after`: seconds until the next one."""

    status = 429

    def __init__(self, message: str | None = None, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class CallInHand(FirstlineError):
    """A call with this Idempotency-Key is in hand at this moment: repeat it in a second."""

    status = 409
    after = 1.0


class CallDiffers(FirstlineError):
    """This Idempotency-Key belongs to another call."""

    status = 409
