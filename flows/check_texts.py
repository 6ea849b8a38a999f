"""What is wrong with a pack's texts: values and filters that there are not, what does not fit a messenger, what must not be said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from flows.errors import Problem
from flows.pack import ActStep, CaseStep, HandoffStep, Pack
from flows.phrases import FILTERS, OPTIONAL, PLACEHOLDER, placeholders
from flows.places import every_step, known_name, near_name, problem, remark
from flows.steps import MAX_EACH
from flows.wording import none_of

BUTTON_TITLE = 40
"""VK's limit for a button's label, in characters; Telegram's is wider."""
BUTTONS = 10
"""VK's limit for the buttons of one message (what a button carries is ours and always fits)."""
TEXT = 3500
"""Characters of a phrase that are sure to go into one message (4096) once its values are put in."""
VALUE = "·" * 8
SHOWN = {"description": 512, "short_description": 120, "contact_title": BUTTON_TITLE}
"""Settings that Telegram shows, with the most characters that it takes."""
COMMAND_TEXT = 256
READABLE = 600
"""Characters that fit the screen of a phone."""


def phrases_can_be_rendered(pack: Pack) -> Iterator[Problem]:
    """Placeholders name known values and filters; buttons exist."""
    for name, phrase in pack.phrases.items():
        place = f"phrase:{name}"
        for text in phrase.say:
            for found in PLACEHOLDER.finditer(text):
                if not known_name(pack, found[1]):
                    yield problem(pack, place, f"there is no value {found[1]!r}{near_name(pack, found[1])}")
                for spec in filter(None, found[2].split("|")):
                    if (name_of := spec.split(":")[0]) not in FILTERS:
                        yield problem(pack, place, f"there is no filter {name_of!r}{none_of(name_of, FILTERS)}")
        for button in phrase.buttons:
            if isinstance(button, str) and button not in pack.buttons:
                yield problem(pack, place, f"there is no button {button!r}{none_of(button, pack.buttons)}")


def phrases_tell_what_they_must(pack: Pack) -> Iterator[Problem]:
    """What a phrase must convey stands in every variant, and not in brackets, which may be left out."""
    for name, phrase in pack.phrases.items():
        for number, text in enumerate(phrase.say, start=1):
            sure, anywhere = placeholders(OPTIONAL.sub("", text)), placeholders(text)
            for needed in phrase.convey:
                if needed not in sure:
                    only = " but in [[…]], which may be left out" if needed in anywhere else ""
                    yield problem(pack, f"phrase:{name}", f"variant {number} does not tell {{{needed}}}{only}")


def texts_fit_messengers(pack: Pack) -> Iterator[Problem]:
    """A text fits into one message, and is short enough to be read (a value counts as a word)."""
    for name, phrase in pack.phrases.items():
        for number, text in enumerate(phrase.say, start=1):
            place, length = f"phrase:{name}", len(PLACEHOLDER.sub(VALUE, text).replace("[[", "").replace("]]", ""))
            if length > TEXT:
                yield problem(pack, place, f"variant {number} has {length} characters, more than {TEXT}")
            elif length > READABLE:
                told = f"variant {number} has {length} characters, more than the {READABLE} that fit a phone's screen"
                yield remark(pack, place, told)


def buttons_fit_messengers(pack: Pack) -> Iterator[Problem]:
    """A title fits onto a button and there are not more buttons than a message may have: else VK shows numbers."""
    for name, button in pack.buttons.items():
        yield from _title(pack, f"button:{name}", button.title)
    for name, phrase in pack.phrases.items():
        place, own = f"phrase:{name}", [one for one in phrase.buttons if not isinstance(one, str)]
        for button in own:
            yield from _title(pack, place, button.title)
        most = len(phrase.buttons) + (MAX_EACH if phrase.each else 0)
        if most > BUTTONS:
            yield remark(
                pack, place, f"may have {most} buttons: from {BUTTONS + 1} on VK shows them as a numbered list"
            )


def _title(pack: Pack, place: str, title: str) -> Iterator[Problem]:
    fixed = PLACEHOLDER.sub("", title)
    if len(fixed) > BUTTON_TITLE:
        yield problem(
            pack, place, f"the button {title!r} is longer than {BUTTON_TITLE} characters, the most that VK shows"
        )
    elif fixed != title and len(fixed) > BUTTON_TITLE // 2:
        yield remark(
            pack,
            place,
            f"the button {title!r} leaves its value {BUTTON_TITLE - len(fixed)} of {BUTTON_TITLE} characters",
        )


def settings_fit_messengers(pack: Pack) -> Iterator[Problem]:
    """Commands, the links to the bot and what it says of itself are such as Telegram takes."""
    settings = pack.manifest.settings
    for name, most in SHOWN.items():
        if (length := len(str(settings.get(name) or ""))) > most:
            yield problem(pack, f"setting:{name}", f"has {length} characters, more than {most}")
    for command, words in (settings.get("commands") or {}).items():
        if not re.fullmatch("[a-z0-9_]{1,32}", str(command)):
            yield problem(pack, "setting:commands", f"{command!r} is no command: a-z, 0-9 and _, 32 characters at most")
        if not 1 <= len(str(words)) <= COMMAND_TEXT:
            yield problem(pack, "setting:commands", f"/{command} needs words, {COMMAND_TEXT} characters at most")
    for link in settings.get("deep_links") or {}:
        if not re.fullmatch("[A-Za-z0-9-]{1,32}", str(link)):
            yield problem(pack, "setting:deep_links", f"{link!r} begins no link: a-z, 0-9 and -, 32 characters at most")


def texts_for_people_can_be_filled(pack: Pack) -> Iterator[Problem]:
    """Placeholders in reasons, next steps, notes and what the CRM is told name known values."""
    for place, step in every_step(pack):
        match step:
            case HandoffStep() | CaseStep():
                texts = [step.why, step.next_step or ""]
            case ActStep():
                texts = list(step.args.values())
            case _:
                continue
        for name in {name for text in texts for name in placeholders(text)}:
            if not known_name(pack, name):
                yield problem(pack, place, f"there is no value {name!r}")


def nothing_forbidden_is_said(pack: Pack) -> Iterator[Problem]:
    """No phrase says what must never be said."""
    patterns = [re.compile(pattern, re.I) for pattern in pack.manifest.never_say]
    for name, phrase in pack.phrases.items():
        for text in phrase.say:
            for pattern in patterns:
                if pattern.search(text):
                    yield problem(pack, f"phrase:{name}", f"says what must never be said: {pattern.pattern}")


CHECKS: tuple[Callable[[Pack], Iterator[Problem]], ...] = (
    phrases_can_be_rendered,
    phrases_tell_what_they_must,
    texts_fit_messengers,
    buttons_fit_messengers,
    settings_fit_messengers,
    texts_for_people_can_be_filled,
    nothing_forbidden_is_said,
)
