"""The parent of all errors, and what goes wrong or is refused anywhere."""

from __future__ import annotations


class FirstlineError(Exception):
    """Something in Firstline went wrong."""

    status = 500

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class SettingsInvalid(FirstlineError):
    """A setting is missing or has a wrong value."""


class StoreUnavailable(FirstlineError):
    """The database cannot store anything now."""

    status = 503


class Refused(FirstlineError):
    """This action is not possible now."""

    status = 409


class NotFound(FirstlineError):
    """There is no such thing."""

    status = 404


class Invalid(FirstlineError):
    """What was entered cannot be so."""

    status = 422
