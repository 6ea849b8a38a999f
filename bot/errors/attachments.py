"""Attachments that are not kept, not found, or no longer there."""

from __future__ import annotations

from bot.errors.base import FirstlineError, NotFound


class FileRefused(FirstlineError):
    """An attachment is not kept. `reason` is the word that is stored for it."""

    status = 415
    reason = "refused"


class FileNotTaken(FileRefused):
    """An attachment of this kind is not taken."""

    reason = "kind"


class FileTooBig(FileRefused):
    """The attachment is larger than one may be."""

    status = 413
    reason = "too_big"


class DayFull(FileRefused):
    """The customer has sent as much as is kept in a day."""

    status = 413
    reason = "day_full"


class FileStoreUnavailable(FirstlineError):
    """The place where attachments are kept does not answer."""

    status = 503


class FileUnknown(NotFound):
    """There is no such attachment."""


class FileGone(NotFound):
    """The attachment was not kept, or is no longer."""

    status = 410
