"""What a replay found, for people; and conversations as a customer sees them, in Markdown for the docs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

import flows
from bot.replay import Answer, Difference, Lines, Played, Replayed, line_of_input, said_in
from bot.talks import Stage, Talk
from bot.testing import of_talk
from flows.russian import plural

KINDS = {
    "texts": "текст", "buttons": "кнопки", "rules": "правила", "queue": "очередь", "priority": "срочность", "cases": "задачи",
    "crm": "действия в CRM", "comment": "сводка для людей", "error": "ошибка", "needs": "не хватает данных",
}  # fmt: skip


def show(found: Replayed, console: Console) -> None:
    """Print all differences, then the sum."""
    for one in found.differences:
        _difference(one, console)
    for text in found.unreadable:
        console.print(Text(f"Не прочитано: {text}", "yellow"))
    console.print(Text(summary(found), "bold"))


def summary(found: Replayed) -> str:
    """The sum in a sentence."""
    counts = ", ".join(f"{KINDS[kind]} — {number}" for kind, number in found.counts().items())
    number = len(found.differences)
    where = f"{number} {plural(number, 'ходе', 'ходах', 'ходах')}"
    differ = f"ответ стал бы другим в {where} ({counts})" if number else "все ответы те же"
    return f"Разговоров: {found.conversations}, ходов: {found.turns}; {differ}."


def _difference(one: Difference, console: Console) -> None:
    console.print(Text.assemble((one.conversation, "bold"), (f"  {one.where}, ход {one.turn}", "dim")))
    console.print(_in(Text(f"Клиент: {one.said}")))
    if one.after is None:
        console.print(_in(Text(f"Набор спрашивает то, что тогда не было известно: {'; '.join(one.needs)}", "yellow")))
    else:
        for kind in one.changed:
            _change(kind, one.before, one.after, console)
    console.print()


def _change(kind: str, before: Answer, after: Answer, console: Console) -> None:
    """The lines that are gone and those that have come; of texts only the paragraphs that differ."""
    old, new = _pieces(kind, getattr(before, kind)), _pieces(kind, getattr(after, kind))
    console.print(_in(Text(f"{KINDS[kind]}:", "bold")))
    for tag, first, last, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            for line in old[first:last]:
                console.print(_in(Text(f"− {line}", "red"), 4))
            for line in new[begin:end]:
                console.print(_in(Text(f"+ {line}", "green"), 4))


def _pieces(kind: str, value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.split("\n")
    if kind == "texts":
        value = [line for text in value for line in text.split("\n")]
    return [str(one) for one in value or () if one]


def _in(text: Text, indent: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, indent), expand=False)


# ------------------------------------------------------------------------------------------- as a customer sees it
@dataclass(frozen=True, slots=True)
class Said:
    """A line of a conversation."""

    who: str
    text: str
    buttons: tuple[str, ...] = ()


def talk_said(talk: Talk, on: Stage, parses: Mapping[str, flows.Parse]) -> Iterator[Said]:
    """The lines of a talk. `parses`: how the NLU reads messages, instead of what the talk says of them."""
    conversation = of_talk(talk.data, on)
    for step in talk.data["talk"]:
        read = parses.get(str(step.get("say")))
        heard = conversation.take({**step, "parse": read} if read else step)
        if conversation.decided is not None:
            yield Said("Клиент", said_in(step))
        yield from (Said(_bot(on.pack), say.text, tuple(button.title for button in say.buttons)) for say in heard.says)


def played_said(pack: flows.Pack, lines: Lines, played: Played) -> dict[str, list[Said]]:
    """The lines of each chat of a `chat --json` run."""
    found: dict[str, list[Said]] = {}
    for line, events in zip(lines, played, strict=True):
        told = line_of_input(line)
        if "chat" in told and "agent" not in told:
            found.setdefault(str(told["chat"]), []).append(Said("Клиент", said_in(told)))
        for event in events:
            if event.get("event") == "message":
                who = "Специалист" if event["from"] == "agent" else _bot(pack)
                found.setdefault(str(event["chat"]), []).append(Said(who, str(event["text"]), tuple(event["buttons"])))
    return found


def _bot(pack: flows.Pack) -> str:
    return str(pack.manifest.settings.get("assistant_name", "Бот"))


def markdown(title: str, lines: Iterable[Said]) -> Iterator[str]:
    """A conversation in Markdown."""
    yield f"## {title}\n"
    for said in lines:
        paragraphs = [part.replace("\n", "  \n> ") for part in said.text.split("\n\n")]
        yield f"> **{said.who}:** " + "\n>\n> ".join(paragraphs)
        if said.buttons:
            yield ">\n> " + " ".join(f"`{title}`" for title in said.buttons)
        yield ">"
    yield ""
