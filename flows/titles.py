"""What agents read for the names of a pack: titles of its flows and tables, of what is known, and words for values.

They stand in the pack's titles.yml. A function gives None where a pack has no title: then the code name has to do.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flows.pack import Pack

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?=$|T)")


def flow_title(pack: Pack, name: str) -> str | None:
    """What a flow is called: its own title, else that of the first intent it serves."""
    intents = pack.flows[name].intents if name in pack.flows else ()
    return pack.titles.flows.get(name) or next(
        (pack.intents[one].title for one in intents if one in pack.intents), None
    )


def table_title(pack: Pack, name: str) -> str | None:
    """What a table is called: its own title, else that of the flow with its name."""
    return pack.titles.tables.get(name) or flow_title(pack, name)


def known_title(pack: Pack, name: str) -> str | None:
    """What a slot, a fact, a setting or something of the talk is called; of a path what it leads through, and the key."""
    own = pack.titles.known.get(name) or pack.manifest.directories.get("labels_slots", {}).get(name, {}).get("title")
    if own is not None or "." not in name:
        return own
    root, _, key = name.rpartition(".")
    of, field = known_title(pack, root), pack.titles.fields.get(key)
    return f"{of}: {field}" if of and field else None


def value_words(pack: Pack, name: str, value: Any) -> str:
    """A single value in an agent's words: the label of its name, an intent's or a queue's title, a day, else as it is."""
    text = str(value)
    label = pack.manifest.directories.get(f"labels_{name}", {}).get(text, {}).get("title")
    if label is not None:
        return str(label)
    if text in pack.intents and pack.intents[text].title:
        return f"«{pack.intents[text].title}»"
    if name == "handing_to" and text in pack.queues:
        return f"«{pack.queues[text].title}»"
    if text.startswith("$"):
        return known_title(pack, text[1:]) or text[1:]
    if (found := _DAY.match(text)) is not None:
        try:
            return f"{date.fromisoformat(found[0]):%d.%m.%Y}"
        except ValueError:
            return text
    return pack.titles.codes.get(text, text)
