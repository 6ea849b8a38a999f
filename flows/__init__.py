"""DECIDES. Values in, values out: what to say, look up, do or hand over, from a pack of content."""

from flows.decide import decide, notice
from flows.decision import (
    Act,
    Attachment,
    Button,
    ConversationState,
    Decision,
    Entity,
    Handoff,
    Lookup,
    OpenRequest,
    Parse,
    Reading,
    Say,
    Turn,
    Unavailable,
    Verdict,
    parse_from_json,
    state_from_json,
    to_json,
)  # fmt: skip
from flows.errors import ContentError, FlowError, PackInvalid, Problem
from flows.hours import add_working, closes_at, is_open, opens_at, place
from flows.load import load, load_shipped
from flows.pack import Pack
from flows.queues import Assign, Queue, Skill
from flows.quick import Filled, Fillings, fill_quick
from flows.remarks import MARK, Remark, remark

__all__ = [
    "MARK", "Act", "Assign", "Attachment", "Button", "ContentError", "ConversationState", "Decision", "Entity", "Filled",
    "Fillings", "FlowError",
    "Handoff", "Lookup", "OpenRequest", "Pack", "PackInvalid", "Parse", "Problem", "Queue", "Reading", "Remark", "Say", "Skill",
    "Turn", "Unavailable", "Verdict", "add_working", "closes_at", "decide", "fill_quick", "is_open", "load", "load_shipped", "notice",
    "opens_at", "parse_from_json", "place", "remark", "state_from_json", "to_json",
]  # fmt: skip
