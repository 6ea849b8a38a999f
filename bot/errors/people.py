"""Signing in, and the accounts of people at the desk."""

from __future__ import annotations

from bot.errors.base import FirstlineError, Invalid, NotFound, Refused


class AgentUnknown(NotFound):
    """There is no agent of this name."""


class SignInRefused(FirstlineError):
    """Name or password is wrong."""

    status = 401


class SignInHeldUp(FirstlineError):
    """There were too many attempts to sign in. `after`: seconds until the next one."""

    status = 429

    def __init__(self, message: str | None = None, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class PasswordRefused(Invalid):
    """The password cannot be this one."""


class PasswordShort(PasswordRefused):
    """A password has 10 characters or more."""


class PasswordLong(PasswordRefused):
    """A password has 200 characters at the most."""


class PasswordCommon(PasswordRefused):
    """This password is one of those that are guessed first."""


class PasswordIsName(PasswordRefused):
    """A password is not the person's name."""


class PasswordSame(PasswordRefused):
    """The new password is the old one."""


class PasswordWrong(PasswordRefused):
    """The present password is another one."""


class AgentInvalid(Invalid):
    """An account cannot be like this."""


class NameInvalid(AgentInvalid):
    """A name has letters, digits and the signs . _ @ - only, begins with a letter or digit, and has 64 characters at most."""


class AgentExists(AgentInvalid):
    """There is somebody of this name already."""

    status = 409


class TitleInvalid(AgentInvalid):
    """What customers read as the person's name has 1 to 80 characters."""


class RoleUnknown(AgentInvalid):
    """A role is agent, trainer, supervisor or admin."""


class CapacityInvalid(AgentInvalid):
    """The requests that are given to a person at the same time are 0 to 100."""


class TelegramIdInvalid(AgentInvalid):
    """A Telegram id is the number of a user, not a name."""


class TelegramIdTaken(AgentInvalid):
    """Another person has this Telegram id."""

    status = 409


class NotYourself(Refused):
    """Nobody disables their own account or takes the role of administrator from it."""
