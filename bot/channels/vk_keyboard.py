"""Our buttons as VK's keyboards, within VK's limits; a numbered list where they do not fit or the app shows none."""

from __future__ import annotations

import json
from typing import Any

from bot.channels import Outgoing, payload, side_by_side

MAX_BUTTONS = 10
MAX_ROWS = 6
MAX_COLUMNS = 5
MAX_LABEL = 40
# limits of an inline keyboard; a payload may have 255 characters, ours has 40 at the most


def keyboard(message: Outgoing) -> dict[str, Any] | None:
    """Return the inline keyboard of a message: its titles, or their numbers where a title is too long for VK."""
    titles = [button.title for button in message.buttons]
    if not titles or len(titles) > MAX_BUTTONS or message.no_buttons:
        return None
    labels = [str(number) for number in range(1, len(titles) + 1)] if numbered(message) else titles
    buttons = [
        {"action": {"type": "callback", "label": label, "payload": json.dumps({"press": payload(message.id, index)})}}
        for index, label in enumerate(labels)
    ]
    few = side_by_side(labels)
    across = MAX_COLUMNS if numbered(message) else few if few > 1 or len(buttons) <= MAX_ROWS else 2
    return {"inline": True, "buttons": [buttons[at : at + across] for at in range(0, len(buttons), across)]}


def with_list(message: Outgoing) -> str:
    """Return the message's text, with the titles as a numbered list where they do not stand on buttons."""
    named = [button.title for button in message.buttons] != [str(one + 1) for one in range(len(message.buttons))]
    if not numbered(message) or not named:  # a list of bare numbers says nothing: the text does
        return message.text
    titles = [f"{number}. {button.title}" for number, button in enumerate(message.buttons, start=1)]
    return "\n\n".join(part for part in (message.text, "\n".join(titles)) if part)


def numbered(message: Outgoing) -> bool:
    """Whether the titles stand in the text, as a numbered list."""
    if not message.buttons:
        return False
    too_long = any(len(button.title) > MAX_LABEL for button in message.buttons)
    return message.no_buttons or too_long or len(message.buttons) > MAX_BUTTONS
