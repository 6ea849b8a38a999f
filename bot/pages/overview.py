"""Overviews of a pack: all flows and tables, all phrases, all rules with the places where they stand."""

from __future__ import annotations

from collections.abc import Iterator

import htpy as h

from bot.pages.parts import Linker, phrase, pills
from flows.pack import Collect, HandoffStep, SayStep
from flows.places import every_step, place_of


def index(links: Linker) -> h.Node:
    """All flows and tables, by the file in which they stand."""
    pack = links.pack
    counts = [
        (f"потоков: {len(pack.flows)}", ""), (f"таблиц: {len(pack.tables)}", ""), (f"фраз: {len(pack.phrases)}", ""),
        (f"запросов клиента: {len(pack.intents)}", ""), (f"очередей: {len(pack.queues)}", ""),
    ]  # fmt: skip
    return h.fragment[
        h.h1[pack.manifest.title],
        h.p(".lead")["Что умеет бот и как он решает. Нажмите на поток или таблицу."],
        pills(counts),
        _search("Найти запрос, поток или таблицу"),
        _intents(links),
        [_group(links, kind, title) for kind, title in (("flow", "Потоки"), ("table", "Таблицы"))],
    ]


def _search(hint: str) -> h.Node:
    return h.input(".search", type="search", placeholder=hint, aria_label=hint)


def _words(*texts: str) -> str:
    return " ".join(texts).lower().replace("ё", "е")


def _intents(links: Linker) -> h.Node:
    pack = links.pack
    rows = []
    for name, intent in pack.intents.items():
        flow = pack.flow_for(name)
        if flow is not None and not pack.flows[flow].dialogue:
            about = pack.flows[flow].about
            rows.append(
                h.tr(data_words=_words(name, intent.title or "", about))[
                    h.td[h.strong[intent.title or name]],
                    h.td[h.code[name] if name != flow else None, h.br if name != flow else None, links.named("flow", flow)],
                    h.td(".small.dim")[about],
                ]
            )  # fmt: skip
    head = h.thead[h.tr[[h.th[title] for title in ("Запрос клиента", "имя и поток", "о чём")]]]
    return h.section(data_group="")[h.h2["Запросы клиента"], h.div(".card")[h.table(".list")[head, h.tbody[rows]]]]


def _group(links: Linker, kind: str, title: str) -> h.Node:
    pack = links.pack
    there = pack.flows if kind == "flow" else pack.tables
    files: dict[str, list[str]] = {}
    for name in there:
        files.setdefault(place_of(pack, f"{kind}:{name}").partition(":")[0], []).append(name)
    return h.section(data_group="")[
        h.h2[title],
        [
            h.div(".card", data_group="")[
                h.div(".small.dim.code")[file],
                h.div(".two")[
                    [h.a(href=links.to(kind, name), data_words=_words(name, file))[name] for name in sorted(names)]
                ],
            ]
            for file, names in files.items()
        ],
    ]


def phrases(links: Linker) -> h.Node:
    """All phrases with their variants, and what says them."""
    pack, users = links.pack, _users(links)
    cards = [
        h.div(".card", id=name, data_words=_words(name, *spoken.say, *spoken.rule))[
            h.div[h.strong(".code")[name], " ", h.small(".dim.code")[place_of(pack, f"phrase:{name}")]],
            phrase(links, name),
            h.p(".small.dim")["Говорят: ", [part for kind, user in users.get(name, ()) for part in (links.named(kind, user), " ")]]
            if name in users else None,
        ]
        for name, spoken in pack.phrases.items()
    ]  # fmt: skip
    return h.fragment[
        h.h1["Фразы"],
        h.p(".lead")["Всё, что читает клиент. Цветом выделены подставляемые значения, пунктиром — то, что опускается, если значение неизвестно."],
        _search("Найти фразу по имени или словам"),
        cards,
    ]  # fmt: skip


def _users(links: Linker) -> dict[str, list[tuple[str, str]]]:
    """What says each phrase: flows and rows of tables (kind, name)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for place, step in every_step(links.pack):
        kind, _, name = place.partition(":")
        owner = ("flow", name.split(".")[0]) if kind == "flow" else ("row", ".".join(name.split(".")[:2]))
        said = step.say if isinstance(step, SayStep) else (step.ask,) if isinstance(step, Collect) else ()
        said = (step.notice,) if isinstance(step, HandoffStep) and step.notice else said
        for one in said:
            if owner not in found.setdefault(one, []):
                found[one].append(owner)
    return found


def rules(links: Linker) -> h.Node:
    """All rules of the content, with the places where they stand."""
    there: dict[str, list[tuple[str, str]]] = {}
    for rule, kind, name in _ruled(links):
        if (kind, name) not in there.setdefault(rule, []):
            there[rule].append((kind, name))
    rows = [
        h.tr(data_words=_words(rule, *(name for _, name in places)))[
            h.td[h.span(".rule")[rule]], h.td[[part for kind, name in places for part in (_titled(links, kind, name), h.br)]],
        ]
        for rule, places in sorted(there.items(), key=lambda one: _order(one[0]))
    ]  # fmt: skip
    head = h.thead[h.tr[h.th(".short")["Правило"], h.th["где стоит"]]]
    return h.fragment[
        h.h1["Правила"],
        h.p(".lead")["Какая строка, какой шаг и какая фраза исполняют правило."],
        _search("Найти правило"),
        h.div(".card", data_group="")[h.table(".list")[head, h.tbody[rows]]],
    ]


def _titled(links: Linker, kind: str, name: str) -> h.Node:
    titles = {"flow": "поток ", "row": "таблица ", "phrase": "фраза "}
    return [titles[kind], links.named(kind, name)]


def _ruled(links: Linker) -> Iterator[tuple[str, str, str]]:
    pack = links.pack
    for name, table in pack.tables.items():
        yield from (
            (rule, "row", f"{name}.{number}") for number, row in enumerate(table.rows, start=1) for rule in row.rule
        )
    for place, step in every_step(pack):
        kind, _, name = place.partition(":")
        own = ("flow", name.split(".")[0]) if kind == "flow" else ("row", ".".join(name.split(".")[:2]))
        yield from ((rule, *own) for rule in step.rule)
    for name, spoken in pack.phrases.items():
        yield from ((rule, "phrase", name) for rule in spoken.rule)


def _order(rule: str) -> tuple[str, int]:
    family, _, number = rule.rpartition("-")
    return family, int(number) if number.isdecimal() else 0
