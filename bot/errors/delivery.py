"""A messenger does not take what we send, or the desk's groups in Telegram are not as they were."""

from __future__ import annotations

from typing import Literal

from bot.errors.base import FirstlineError


class DeliveryFailed(FirstlineError):
    """A message could not be delivered."""


class RetryLater(DeliveryFailed):
    """The messenger asks to wait. `after` is in seconds; `of`: whose messages wait.

    message: this one's chat, because of trouble; chat: because too much is sent to it; channel: all that we send.
    """

    def __init__(
        self, message: str | None = None, *, after: float = 1.0, of: Literal["message", "chat", "channel"] = "message"
    ) -> None:
        super().__init__(message)
        self.after, self.of = after, of


class Unreachable(DeliveryFailed):
    """The customer has blocked us or the chat is gone: nothing can be sent until they write again."""


class Rejected(DeliveryFailed):
    """The messenger refuses this very text; sending it again is useless."""


class ChannelStopped(DeliveryFailed):
    """The channel's token is no longer accepted: somebody has to look."""


class DeliveryUnknown(DeliveryFailed):
    """The messenger did not say whether the message was sent."""


class TopicGone(DeliveryFailed):
    """The topic was deleted in Telegram: it has to be made anew."""


class TopicClosed(DeliveryFailed):
    """The topic was closed in Telegram: it has to be opened again."""


class CardGone(DeliveryFailed):
    """The message that was to be changed or pinned is not there any more."""


class GroupRefused(DeliveryFailed):
    """The bot cannot work in this group: somebody has to look at its rights there."""
