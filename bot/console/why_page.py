"""«Почему бот так ответил»: what was read, looked up and tried for a line of the talk, and the way through the flow, drawn.

The data are those of `firstline explain`; telephone numbers are masked.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import htpy as h
from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup
from rich.console import Console

import flows
from bot import audit, why
from bot.console import shell, times, words
from bot.console.parts import Parts, parts_of
from bot.console.seat import Seat, seat
from bot.explain_view import VERDICTS, ExplainView, brief
from bot.masking import mask, masked
from bot.models import Message, Sender
from bot.why import Line, Why
from flows.explain import Explanation, Known
from flows.svg import FILLS, STYLE, svg
from flows.titles import flow_title, known_title, table_title, value_words
from flows.trace import Condition, Node, Went
from flows.words import SPECIALS, VERBS, condition_text, readable, titled_values, value_text

router = APIRouter(prefix="/why")
Signed = Annotated[Seat, Depends(seat)]
DRAWN = 6
"""Flows that are drawn at the most."""
WIDTH = 118
"""Columns of the full account."""
NO_TURN = {
    Sender.CUSTOMER: "За этим сообщением нет решения бота: его читал специалист, или бот ещё не дошёл до него.",
    Sender.AGENT: "Это написал специалист, не бот.",
    Sender.SYSTEM: "Это служебное сообщение: о состоянии обращения система сообщает сама, без сценария.",
    Sender.BOT: "Это просьба подождать: бот отправил её, пока искал ответ.",
}
_DARK = re.compile(r"@media \(prefers-color-scheme:dark\)\{(.*)\}\s*$", re.DOTALL)


@router.get("/flow.css")
async def flow_style() -> Response:
    """The style of drawn flows, in the theme that the person has chosen."""
    light, dark = _DARK.sub("", STYLE), (_DARK.search(STYLE) or [""])[0]
    inside = dark.removeprefix("@media (prefers-color-scheme:dark){").rstrip().removesuffix("}")
    by_system = inside.replace(".fl{", ':root:not([data-theme="light"]) .fl{')
    chosen = inside.replace(".fl{", ':root[data-theme="dark"] .fl{')
    text = f"{light}{FILLS}\n@media (prefers-color-scheme:dark){{{by_system}}}\n{chosen}"
    return Response(text, media_type="text/css")


@router.get("/{message_id}")
async def why_page(request: Request, message_id: int, person: Signed) -> Response:
    """Why the bot answered so: for a line of a conversation that the person may see."""
    parts = parts_of(request)
    async with parts.sessions.begin() as session:
        line = await why.line(session, message_id, person.scope)
        if line is not None:
            await audit.note(
                session, at=parts.clock.now(), agent=person.name, action="why", data={"line": message_id},
                address=person.address,
            )  # fmt: skip
    if line is None:
        nothing = "Возможно, это заметка, или разговор не из ваших очередей."
        return shell.page(
            person,
            "Сообщения нет",
            h.h1["Такого сообщения нет"],
            h.p[nothing],
            h.p[h.a(href="/desk/")["К очереди"]],
            status=404,
        )
    told = await why.why(parts.pack, line)
    content = _Told(parts, line, told)
    return shell.page(
        person, "Почему бот так ответил", h.h1["Почему бот так ответил"], *content.all(), at="queue",
        styles=["why.css"], request=request,
    )  # fmt: skip


class _Told:
    """The parts of the page."""

    def __init__(self, parts: Parts, line: Line, told: Why | None) -> None:
        self.pack, self.now, self.line, self.told = parts.pack, parts.clock.now(), line, told
        self.zone = parts.pack.zone

    def all(self) -> Iterator[h.Node]:
        """Everything, from the talk to the smallest check."""
        yield self._where()
        yield self._talk()
        if self.told is None:
            yield h.p(".card")[NO_TURN.get(Sender(self.line.message.sender), "")]
            return
        yield self._changed(self.told)
        one = self.told.explanation
        if one is None:
            yield self._only_stored()
            return
        yield h.link(rel="stylesheet", href="/desk/why/flow.css")
        yield h.div(".why")[h.div[self._read(one), self._way(one)], h.div[self._asked(one), self._facts(one)]]
        yield self._flows(one)
        yield self._everything(one)

    # ----------------------------------------------------------------------------------------------------- the talk
    def _where(self) -> h.Node:
        number = self.line.number
        channel = self.line.conversation.channel
        said = (
            f"{words.CHANNELS.get(channel, channel)} · {times.day_and_time(self.line.message.at, self.zone, self.now)}"
        )
        back = h.a(".button", href=f"/desk/requests/{number}")[f"К обращению {number}"] if number else None
        return h.p(".actions.dim")[back, h.span[said]]

    def _talk(self) -> h.Element:
        lines = [*self.line.heard, *self.line.said] or [self.line.message]
        return h.section(".card.talk", aria_label="Сообщения")[[self._bubble(one) for one in lines]]

    def _bubble(self, message: Message) -> h.Element:
        who = {Sender.CUSTOMER: "Клиент", Sender.BOT: "Бот", Sender.SYSTEM: "Система"}.get(
            Sender(message.sender), message.agent or "Специалист"
        )  # fmt: skip
        text = message.text or message.contact or ("вложение" if message.attachments else "")
        this = message.id == self.line.message.id
        return h.div(class_=f"said {message.sender}", aria_current="true" if this else None)[
            h.b[who], h.p[mask(text)], h.small(".dim")["это сообщение"] if this and len(self.line.said) > 1 else None
        ]

    # ------------------------------------------------------------------------------------------------ what is known
    def _changed(self, told: Why) -> h.Node:
        today = f"{self.pack.manifest.name}@{self.pack.version}"
        if told.missing:
            return _remark(
                "Сценарии с тех пор изменились и спросили бы то, чего уже не узнать: ",
                ", ".join(mask(self._lookup(one)) for one in told.missing),
            )
        if told.explanation is None:
            return _remark("Этот ответ дала другая версия программы: разобрать его целиком уже нельзя.")
        if told.differs:
            return _remark("Сценарии с тех пор изменились: сегодня бот ответил бы иначе. Ниже — как решают нынешние.")
        if told.pack != today:
            return h.p(".dim.small")["Сценарии с тех пор меняли, но на этот ответ это не влияет."]
        return None

    def _lookup(self, told: str) -> str:
        """A lookup as it is told in one word («customer(account=…)»), by its title."""
        source = told.partition("(")[0]
        return told.replace(source, self.pack.titles.systems.get(source, source), 1)

    def _only_stored(self) -> h.Element:
        turn = self.line.turn
        assert turn is not None
        read = ", ".join(words.topic(self.pack, one.get("name")) for one in (turn.parse or {}).get("intents", ()))
        return h.section(".card")[
            h.h2["Что осталось"],
            h.p["Прочитано: ", read or "ничего"],
            h.p["Правила: ", _rules(turn.rules) if turn.rules else "нет"],
        ]

    def _read(self, one: Explanation) -> h.Element:
        parse = one.parse
        rows: list[h.Node] = []
        if parse is not None:
            chosen = {reading.name for reading in parse.intents}
            others = [reading for reading in parse.ranking if reading.name not in chosen]
            rows = [self._reading(reading, read=True) for reading in parse.intents]
            rows += [self._reading(reading, read=False) for reading in others[:3]]
        heard = one.heard
        return h.section(".card")[
            h.h2["Что бот прочитал"],
            h.p[f"Понято {VERDICTS[parse.verdict]}." if parse and parse.intents else "Намерение не понято."] if parse else None,
            h.p["Клиент нажал кнопку, читать было нечего."] if one.press is not None else None,
            h.ul(".readings")[rows] if rows else None,
            h.p["Данные: ", _joined(self._entity(entity) for entity in parse.entities)]
            if parse and parse.entities
            else None,
            h.p["Бот спрашивал: ", self._known(heard.asked), ". ", "Это ответ." if heard.answered else "Это не ответ."] if heard.asked else None,
            h.p["Бот не понял и переспросил."] if heard.missed else None,
            h.p["Настроение: ", self._mood(one)],
        ]  # fmt: skip

    def _reading(self, reading: flows.Reading, *, read: bool) -> h.Element:
        percent = round(reading.confidence * 100)
        return h.li(class_=None if read else "dim")[
            h.span[words.topic(self.pack, reading.name)],
            h.meter(min="0", max="100", value=str(percent), aria_label="уверенность"),
            h.span(".mono")[f"{percent} %"],
        ]

    def _entity(self, entity: flows.Entity) -> h.Element:
        title = self.pack.titles.entities.get(entity.entity, entity.entity)
        return h.span(".tag", title=entity.entity)[
            f"{title}: {mask(value_words(self.pack, entity.entity, entity.value))}"
        ]

    def _known(self, name: str) -> h.Node:
        """A slot, fact or setting by its title, its code name small beside it for trainers."""
        return _named(known_title(self.pack, name), name)

    def _mood(self, one: Explanation) -> str:
        found = next((known.value for known in one.facts if known.name == self.pack.manifest.mood), None)
        return words.mood(self.pack, found) or "спокойное"

    def _asked(self, one: Explanation) -> h.Node:
        if not one.asked and not one.done:
            return None
        asked = [
            h.li[_named(self.pack.titles.systems.get(each.source), each.source), self._args(each.args), " — ", "не отвечает" if each.down else self._answer(each.answer)]
            for each in one.asked
        ]  # fmt: skip
        done = [
            h.li[
                h.b["сделано: "], self._deed(each.action), self._args(each.args), " — ", self._answer(dict(each.result))
            ]
            for each in one.done
        ]
        return h.section(".card")[h.h2["Что узнал у систем магазина"], h.ul(".plain-list")[asked, done]]

    def _args(self, args: Mapping[str, str]) -> str:
        """What a system was asked with: «по телефону …»."""
        fields = self.pack.titles.fields
        told = ", ".join(f"{fields.get(name, name)} {mask(str(value))}" for name, value in args.items())
        return f" ({told})" if told else ""

    def _answer(self, answer: Any) -> str:
        """What a system answered, in a line; of a long answer what has a title."""
        if not isinstance(answer, Mapping) or not self.pack.titles.fields:
            return mask(brief(masked(answer)))
        if isinstance(answer.get("ok"), bool):
            return "сделано" if answer["ok"] else "не сделано"
        told = [
            f"{self.pack.titles.fields[key]} {value_words(self.pack, key, value)}"
            for key, value in masked(dict(answer)).items()
            if key in self.pack.titles.fields and isinstance(value, str | int | float) and not isinstance(value, bool)
        ]
        return mask(", ".join(told)) or "ответ есть"

    def _deed(self, action: str) -> h.Node:
        label = value_words(self.pack, "deeds", action)
        return _named(label if label != action else None, action)

    def _facts(self, one: Explanation) -> h.Node:
        mattered = [known for known in one.facts if known.matters]
        if not mattered:
            return None
        return h.section(".card")[
            h.h2["На что опирался"],
            h.table(".list")[
                h.thead[h.tr[h.th["Что"], h.th["Значение"], h.th["Где описано"]]],
                h.tbody[[self._fact(known) for known in mattered]],
            ],
        ]

    def _fact(self, known: Known) -> h.Element:
        value = mask(value_text(self.pack, known.name, known.value, titled=True))
        return h.tr[h.td[self._known(known.name)], h.td[value], h.td(".dim.small.mono")[known.where]]

    # -------------------------------------------------------------------------------------------------------- the way
    def _way(self, one: Explanation) -> h.Element:
        steps = [self._request(node) for node in one.requests if node.kind == "request"]
        rules = [*one.decision.rules, *(rule for told in one.decision.messages for rule in told.rules)]
        return h.section(".card")[
            h.h2["Как решал"],
            h.p["Правила: ", _rules(dict.fromkeys(rules))] if rules else None,
            steps or h.p["Сценарий не понадобился."],
        ]

    def _request(self, node: Node) -> h.Element:
        flow = str(node.detail.get("flow", ""))
        title = words.topic(self.pack, node.name) if node.name in self.pack.intents else flow_title(self.pack, flow)
        return h.div[
            h.h3[_named(title, flow)],
            h.ol(".way")[[item for one in node.inside for item in self._items(one)]],
        ]

    def _items(self, node: Node) -> Iterator[h.Element]:
        """What was done, in order: rows that hit, conditions that led somewhere, words that were said."""
        if node.went is not Went.TAKEN:
            return
        match node.kind, node.name:
            case ("row", number):
                table = str(node.detail.get("table"))
                title = table_title(self.pack, table) or table
                yield self._item(f"таблица «{title}», строка {number}", node, code=table)
            case ("arm", _) if node.conditions:
                yield self._item("ветка", node)
            case ("phrase", name):
                yield self._item("сказать", node, mask(str(node.detail.get("text", ""))), code=name)
            case ("step", "say") if node.inside:
                for one in node.inside:
                    text = mask(str(one.detail.get("text", "")))
                    yield self._item("сказать", replace(one, conditions=node.conditions), text, code=one.name)
                return
            case ("step", "handoff" | "case" | "act" | "collect" | "do"):
                yield self._item(self._verb(node), node)
            case ("step", "say" | "set" | "count" | "stop") if node.conditions:
                yield self._item(self._verb(node), node)
        for one in node.inside:
            yield from self._items(one)

    def _verb(self, node: Node) -> str:
        target = node.detail.get(node.name, "")
        match node.name:
            case "handoff":
                target = f"в очередь «{words.queue(self.pack, str(target))}»: {self._plain(node.detail.get('why', ''))}"
            case "case":
                target = f"«{words.category(self.pack, str(target))}»: {self._plain(node.detail.get('why', ''))}"
            case "do":
                target = SPECIALS.get(str(target), target)
            case "say":
                target = ""
            case "set":
                target = titled_values(self.pack, node.detail.get("set", {}))
            case "collect" | "count":
                target = known_title(self.pack, str(target)) or target
            case "act":
                target = value_words(self.pack, "deeds", target)
        return mask(f"{VERBS[node.name].lower()} {target}".strip())

    def _plain(self, text: object) -> str:
        """A reason without what it holds only when something is known."""
        return readable(re.sub(r"\[\[.*?\]\]", "", str(text)), self.pack)

    def _item(self, title: str, node: Node, text: str = "", *, code: str = "") -> h.Element:
        held = [one for one in node.conditions if one.holds]
        return h.li[
            h.span[title], " ", _rules(node.rules),
            h.div(".when")["если ", [[self._held(one), "; " if one is not held[-1] else None] for one in held]] if held else None,
            h.blockquote[text] if text else None,
            h.small(".dim.mono")[" ".join(filter(None, [code, node.where]))],
        ]  # fmt: skip

    def _held(self, one: Condition) -> h.Node:
        """A condition that held; its code name small beside it where it has a title."""
        code = h.small(".code")[one.name] if known_title(self.pack, one.name) else None
        return [mask(condition_text(self.pack, one.name, one.wants, titled=True)), code and " ", code]

    # ------------------------------------------------------------------------------------------------------ the flows
    def _flows(self, one: Explanation) -> h.Node:
        ways: dict[str, set[str]] = {}
        for node in one.nodes("flow"):
            taken = {each.where for each in node.walk() if each.kind == "step" and each.went is Went.TAKEN}
            if taken and node.name in self.pack.flows:
                ways.setdefault(node.name, set()).update(taken)
        if not ways:
            return None
        served = {str(node.detail.get("flow")) for node in one.requests}
        ordered = sorted(ways, key=lambda name: name not in served)[:DRAWN]
        return h.section(".drawn")[
            h.h2["Путь по сценарию"],
            h.p(".dim")["Пройденные шаги ярче и с толстой рамкой."],
            [self._flow(name, ways[name], is_open=place == 0) for place, name in enumerate(ordered)],
        ]

    def _flow(self, name: str, taken: set[str], *, is_open: bool) -> h.Element:
        picture = Markup(svg(self.pack, name, taken=taken, styled=False, titled=True))
        title = flow_title(self.pack, name)
        return h.details(".card", open=is_open)[
            h.summary[h.b[_named(title, name)]],
            h.div(".picture", tabindex="0", role="group", aria_label=f"Схема: {title or name}")[picture],
        ]

    def _everything(self, one: Explanation) -> h.Element:
        out = io.StringIO()
        view = ExplainView(
            self.pack, Console(file=out, width=WIDTH, highlight=False, color_system=None), everything=True
        )
        view.show(one)
        return h.details(".card")[
            h.summary["Все проверки: каждая строка таблиц, которую смотрел бот"],
            h.pre(".account", tabindex="0", aria_label="Полный разбор")[mask(out.getvalue())],
        ]


def _remark(*text: h.Node) -> h.Element:
    return h.p(".card.remark", role="note")[text]


def _rules(names: Sequence[str] | dict[str, Any] | tuple[str, ...]) -> h.Node:
    return [h.span(".tag.rule")[name] for name in dict.fromkeys(names)]


def _joined(parts: Iterator[h.Element]) -> h.Node:
    return [[one, " "] for one in parts]


def _named(title: str | None, code: str) -> h.Node:
    """A title with the code name small beside it, for trainers; the code name alone where there is no title."""
    return [title, " ", h.small(".code")[code]] if title else h.code[code]
