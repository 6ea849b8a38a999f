"""The lines of `firstline chat --json`: what may come in, and what goes out, to the letter of its contract.

Input lines are pydantic models that refuse unknown keys; output lines are made of the events that the store tells after
its commits (`bot.events`), with the contract's keys in the contract's order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    TypeAdapter,
    ValidationError,
)
from pydantic import model_validator as check

from bot.channels import clean
from bot.errors import FirstlineError
from bot.events import Event


class LineInvalid(FirstlineError):
    """This input line is not one of the contract's."""


YEARS = range(1971, 9000)
"""Years that a clock may show; beyond them there is no room for terms before and after."""


def moment(text: object) -> datetime:
    """Read a time of the contract: ISO 8601 with its offset. ValueError with a sentence for anything else."""
    try:
        if not isinstance(text, str):
            raise TypeError
        made = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"{text!r} is no time in ISO 8601, like 2026-11-20T12:00:00+03:00") from None
    if made.tzinfo is None:
        raise ValueError("a time needs its offset, as in 2026-11-20T12:00:00+03:00")
    if made.year not in YEARS:
        raise ValueError(f"the year must be one of {YEARS.start} to {YEARS.stop - 1}")
    return made


Moment = Annotated[datetime, BeforeValidator(moment)]
Text = Annotated[str, AfterValidator(clean)]
Name = Annotated[Text, Field(min_length=1, max_length=200)]
ChannelName = Literal["telegram", "vk"]
System = Literal["crm", "tracking", "nlu", "store"]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Attachment(_Line):
    """What a customer sends besides text."""

    kind: Literal["photo", "file", "voice", "video", "sticker"]
    name: Text | None = None


class CustomerLine(_Line):
    """A customer does something in a chat."""

    chat: Name
    channel: ChannelName | None = None
    name: Text | None = None
    text: Text | None = None
    more: StrictBool = False
    edit: Text | None = None
    press: Text | None = None
    contact: Annotated[str, Field(pattern=r"^\+\d{7,15}$")] | None = None
    attachment: Attachment | None = None

    @check(mode="after")
    def _one_thing(self) -> CustomerLine:
        done = [key for key in ("edit", "press", "contact") if getattr(self, key) is not None]
        if self.text is not None or self.attachment is not None:
            done.append("text" if self.attachment is None else "attachment")
        if len(done) != 1:
            raise ValueError("a customer's line has exactly one of text, edit, press, contact, attachment")
        if self.more and done[0] not in ("text", "attachment"):
            raise ValueError(f"more goes with a message, not with {done[0]}")
        return self


class AgentLine(_Line):
    """An agent does something at the desk."""

    agent: Name
    do: Literal["shift_on", "shift_off", "take", "reply", "note", "decline", "transfer", "wait", "resolve"]
    chat: Name | None = None
    text: Text = ""
    queue: Text | None = None
    to: Text | None = None
    until: Moment | None = None
    resolution: Literal["solved", "not_solved"] = "solved"
    category: Text | None = None

    @check(mode="after")
    def _fitting(self) -> AgentLine:
        fitting = {
            "reply": {"text"}, "note": {"text"}, "decline": {"text"}, "transfer": {"text", "queue", "to"},
            "wait": {"until"}, "resolve": {"text", "resolution", "category"},
        }.get(self.do, set())  # fmt: skip
        if wrong := sorted(self.model_fields_set - fitting - {"agent", "do", "chat"}):
            raise ValueError(f"{self.do} has no {', '.join(wrong)}")
        if self.do in ("reply", "note") and not self.text.strip():
            raise ValueError(f"{self.do} needs a text")
        if self.do == "transfer" and (self.queue is None) == (self.to is None):
            raise ValueError("transfer needs a queue, or an agent in to")
        return self


class ClockLine(_Line):
    """The time moves on."""

    clock: Moment


class DownLine(_Line):
    """From now on these systems do not answer."""

    down: list[System]


def _kind(data: Any) -> str | None:
    if not isinstance(data, dict):
        return None
    return next((key for key in ("agent", "clock", "down", "chat") if key in data), None)


InputLine = CustomerLine | AgentLine | ClockLine | DownLine
_INPUT: TypeAdapter[InputLine] = TypeAdapter(
    Annotated[
        Annotated[AgentLine, Tag("agent")]
        | Annotated[ClockLine, Tag("clock")]
        | Annotated[DownLine, Tag("down")]
        | Annotated[CustomerLine, Tag("chat")],
        Discriminator(_kind),
    ]
)


def read(raw: bytes) -> InputLine:
    """Read one line of input. Raises LineInvalid with a sentence."""
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise LineInvalid("The line is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise LineInvalid(f"The line is not JSON: {getattr(error, 'msg', 'it is nested too deeply')}.") from error
    if _kind(data) is None:
        raise LineInvalid("The line must be a JSON object with one of the keys chat, agent, clock, down.")
    try:
        return _INPUT.validate_python(data)
    except ValidationError as error:
        said = dict.fromkeys(_sentence(one["loc"][1:], one["msg"]) for one in error.errors())
        raise LineInvalid("; ".join(said)) from error


def _sentence(where: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{'.'.join(map(str, where))}: {text}" if where else text


# --------------------------------------------------------------------------------------------------------------- output
_PLAIN = {
    "understood": ("chat", "event", "intents", "entities"),
    "message": ("chat", "event", "from", "text", "buttons", "rules"),
    "handoff": ("chat", "event", "request", "queue", "priority", "rules", "comment", "summary"),
    "case": ("chat", "event", "request", "queue", "category", "due", "rules", "comment", "summary"),
    "crm": ("chat", "event", "action", "order", "ok", "new_order", "rules"),
    "state": ("chat", "event", "request", "state"),
    "inbox": ("agent", "event", "chat", "text", "attachment", "summary", "comment", "transcript"),
}
SUMMARY = (
    "request", "channel", "customer", "topic", "category", "queue", "priority", "reason", "wants", "orders", "collected",
    "answered", "attachments", "contacts_before", "mood", "next_step", "promised",
)  # fmt: skip
"""The summary's keys, all of them always there; the store does not keep their order."""
_CUSTOMER = ("id", "name", "phone_masked", "identified_by", "flags")
_INSIDE = {
    "orders": ("number", "status", "delivery", "stage", "tracking", "note"), "answered": ("rule", "gist"),
    "attachments": ("kind", "name"), "promised": ("what", "due"),
    "contacts_before": ("number", "topic", "order", "queue", "state", "solution", "at", "due", "agent"),
}  # fmt: skip
_OPTIONAL = {"new_order", "attachment", "summary", "comment", "transcript"}
"""Keys that are left out where they say nothing."""


def line(told: Event, *, zone: tzinfo) -> dict[str, Any] | None:
    """The output line of an event; None for events that the contract does not have. `zone`: for due times."""
    keys = _PLAIN.get(told["event"])
    if keys is None:
        return None
    made = {key: told.get(key) for key in keys if key in told or key not in _OPTIONAL}
    if told["event"] in ("inbox", "crm"):
        made = {key: value for key, value in made.items() if value is not None or key not in _OPTIONAL}
    if isinstance(summary := made.get("summary"), dict):
        made["summary"] = _summary(summary)
    if made.get("due"):
        made["due"] = datetime.fromisoformat(str(made["due"])).astimezone(zone).isoformat()
    return made


def _summary(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary with exactly the contract's keys, in the contract's order on each level."""
    made = {key: summary.get(key) for key in SUMMARY}
    customer = made["customer"] or {}
    made["customer"] = {**{key: customer.get(key) for key in _CUSTOMER}, "flags": customer.get("flags") or []}
    for part, keys in _INSIDE.items():
        made[part] = [
            {**{key: one[key] for key in keys if key in one}, **one} if isinstance(one, dict) else one
            for one in made[part] or ()
        ]
    return made


def dump(event: Event) -> str:
    """An output line as text; what UTF-8 cannot hold is replaced."""
    text = json.dumps(event, ensure_ascii=False, default=str)
    return text.encode("utf-8", "replace").decode("utf-8")


Emit = Callable[[Event], None]
