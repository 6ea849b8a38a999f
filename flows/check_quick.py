"""What is wrong with a pack's quick phrases: the same that can be wrong with its phrases, and how agents find them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from flows.check_texts import TEXT
from flows.errors import Problem
from flows.pack import Pack
from flows.phrases import FILTERS, OPTIONAL, PLACEHOLDER, placeholders
from flows.places import known_name, near_name, problem
from flows.wording import near, none_of


def quick_phrases_can_be_filled(pack: Pack) -> Iterator[Problem]:
    """Placeholders name known values and filters, and what may be missing has a name that agents understand."""
    labels = pack.manifest.directories.get("labels_quick", {})
    for name, one in pack.quick.items():
        place = f"quick:{name}"
        for text in one.text:
            for found in PLACEHOLDER.finditer(text):
                if not known_name(pack, found[1]):
                    yield problem(pack, place, f"there is no value {found[1]!r}{near_name(pack, found[1])}")
                for spec in filter(None, found[2].split("|")):
                    if (used := spec.split(":")[0]) not in FILTERS:
                        yield problem(pack, place, f"there is no filter {used!r}{none_of(used, FILTERS)}")
        for needed in placeholders(OPTIONAL.sub("", one.text[0])):
            known = needed in pack.manifest.settings or needed in labels or needed.split(".")[0] in labels
            if not known:
                yield problem(pack, place, f"{needed!r} may be missing: give it a title in the directory labels_quick")


def quick_phrases_are_found(pack: Pack) -> Iterator[Problem]:
    """Topics are intents that there are; no two titles are the same; what is sent at once needs nothing."""
    titles: dict[str, str] = {}
    for name, one in pack.quick.items():
        place = f"quick:{name}"
        for topic in one.topics:
            if topic not in pack.intents:
                yield problem(pack, place, f"there is no intent {topic!r}{near(topic, pack.intents)}")
        first = titles.setdefault(one.title.lower(), name)
        if first != name:
            yield problem(pack, place, f"has the title of {first!r}: {one.title!r}")
        if bool(one.when) != bool(one.needs):
            yield problem(
                pack, place, "has only one of `when` and `needs`: agents read what is lacking when it does not hold"
            )
        if one.hold and any(placeholders(OPTIONAL.sub("", text)) for text in one.text):
            yield problem(pack, place, "asks for patience at once, so it may need no value outside of [[…]]")


def quick_phrases_may_be_said(pack: Pack) -> Iterator[Problem]:
    """They fit into one message and say nothing that must never be said."""
    patterns = [re.compile(pattern, re.I) for pattern in pack.manifest.never_say]
    for name, one in pack.quick.items():
        for text in one.text:
            if len(text) > TEXT:
                yield problem(pack, f"quick:{name}", f"has {len(text)} characters, more than {TEXT}")
            for pattern in patterns:
                if pattern.search(text):
                    yield problem(pack, f"quick:{name}", f"says what must never be said: {pattern.pattern}")


CHECKS: tuple[Callable[[Pack], Iterator[Problem]], ...] = (
    quick_phrases_can_be_filled,
    quick_phrases_are_found,
    quick_phrases_may_be_said,
)
