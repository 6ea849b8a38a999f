"""The tables. Invariants are constraints with names; relationships are never loaded by accident."""

from bot.models.base import Base
from bot.models.desk import ApiCall, ApiKey, Audit, Draft, ForumTopic, ForumUpdate, Hook, Planned, SignIn
from bot.models.talk import (
    Conversation,
    Deed,
    Delivery,
    File,
    Label,
    Message,
    Offset,
    Owner,
    Pace,
    Receipt,
    Sender,
    TurnRow,
)  # fmt: skip
from bot.models.work import IN_HAND, LEADERS, LIVE, REQUEST_NUMBERS, WORKING, Agent, Request, RequestEvent, State

__all__ = [
    "IN_HAND",
    "LEADERS",
    "LIVE",
    "REQUEST_NUMBERS",
    "WORKING",
    "Agent",
    "ApiCall",
    "ApiKey",
    "Audit",
    "Base",
    "Conversation",
    "Deed",
    "Delivery",
    "Draft",
    "File",
    "ForumTopic",
    "ForumUpdate",
    "Hook",
    "Label",
    "Message",
    "Offset",
    "Owner",
    "Pace",
    "Planned",
    "Receipt",
    "Request",
    "RequestEvent",
    "Sender",
    "SignIn",
    "State",
    "TurnRow",
]  # fmt: skip
