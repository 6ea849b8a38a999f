"""What `firstline explain` asks: a conversation in memory over a shop file, its messages read by the NLU or as told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bot import timeline
from bot.clients import Nlu
from bot.content import load_content, pack_folder
from bot.errors import SettingsInvalid
from bot.models import Conversation as StoredConversation
from bot.talks import read_stage
from bot.testing import Conversation, Heard
from flows.explain import Explanation, explain
from flows.wording import none_of

CHANNELS = ("telegram", "vk")
Step = Mapping[str, Any]
"""A turn, with the keys of a talk's: say, as, press; `parse` once it is read."""


def prepare(
    pack_name: str, shop_file: Path | None, *, now: datetime, channel: str, chat: str | None, known: bool = False
) -> Conversation:
    """An empty conversation of a customer of the shop file. `chat`: by default the first that the file links.

    Raises SettingsInvalid, PackInvalid, TalkInvalid and ShopInvalid.
    """
    if channel not in CHANNELS:
        raise SettingsInvalid(f"There is no channel {channel!r}{none_of(channel, CHANNELS)}.")
    content = load_content(pack_name, shop_file, now=now)
    usual = read_stage(pack_folder(pack_name)).usual
    accounts = (dict(customer.accounts).get(channel) for customer in content.shop.customers)  # type: ignore[call-overload]
    chat = chat or next((str(name) for name in accounts if name), "c1")
    seed = timeline.seed(StoredConversation(channel=channel, chat=chat))
    return Conversation(
        content.pack, content.shop, now=now, usual=usual, channel=channel, chat=chat, seed=seed,
        slots=usual.known if known else None,
    )  # fmt: skip


def steps_of(conversation: Conversation, texts: Sequence[str], read_as: Sequence[str]) -> list[Step]:
    """Turns out of messages: "[Title]" is a press on a button. Raises SettingsInvalid for an intent that is none."""
    steps: list[Step] = []
    readings = iter(read_as)
    for text in texts:
        if text.startswith("[") and text.endswith("]"):
            steps.append({"press": text[1:-1]})
        elif (reading := next(readings, None)) is not None:
            intents = [name.strip() for name in reading.split(",") if name.strip()]
            for name in intents:
                if name not in conversation.pack.intents:
                    raise SettingsInvalid(
                        f"--as: there is no intent {name!r}{none_of(name, conversation.pack.intents)}"
                    )
            steps.append({"say": text, "as": intents})
        else:
            steps.append({"say": text})
    return steps


async def read(nlu: Nlu, steps: Sequence[Step], *, now: datetime) -> list[Step]:
    """The turns with the NLU's reading of what has none yet."""
    return [
        {**step, "parse": await nlu.parse(step["say"], now=now)} if "say" in step and "as" not in step else step
        for step in steps
    ]


def explained(conversation: Conversation, steps: Sequence[Step]) -> Iterator[tuple[Step, Heard, Explanation]]:
    """Take the turns one after another; of each the turn, what the customer gets, and why."""
    for step in steps:
        heard = conversation.take(step)
        if conversation.decided is not None:
            yield step, heard, explain(conversation.pack, conversation.decided[0])
