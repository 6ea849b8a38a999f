"""Pages for those who write the scripts: flows as pictures, tables with their coverage, phrases, rules. Plain HTML files.

Each page stands by itself (its style is in it); the pages of a site lead to one another. `site` makes all of a pack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import htpy as h
from markupsafe import Markup

import flows
from bot.pages.parts import Linker, Links, pills
from bot.pages.tables import table_parts
from flows.draw import leads_to
from flows.places import place_of
from flows.svg import svg

STYLE = (resources.files(__name__) / "style.css").read_text("utf-8")
SEARCH = """
document.querySelectorAll("input.search").forEach(function (field) {
  field.addEventListener("input", function () {
    var words = field.value.toLowerCase().replace(/ё/g, "е").split(/\\s+/).filter(Boolean);
    document.querySelectorAll("[data-words]").forEach(function (one) {
      var there = one.dataset.words;
      one.hidden = !words.every(function (word) { return there.indexOf(word) >= 0; });
    });
    document.querySelectorAll("[data-group]").forEach(function (group) {
      group.hidden = !group.querySelector("[data-words]:not([hidden])");
    });
  });
});
"""


def page(title: str, *body: h.Node, nav: h.Node = None, foot: str = "", search: bool = False) -> str:
    """A whole page."""
    made = h.html(lang="ru")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.title[title],
            h.style[Markup(STYLE)],
        ],
        h.body[nav, h.main[body], h.footer[foot] if foot else None, h.script[Markup(SEARCH)] if search else None],
    ]
    return str(made)


# --------------------------------------------------------------------------------------------------- single drawings
def drawing(pack: flows.Pack, kind: str, name: str) -> str:
    """One flow or table as a page, with all that it leads to below it."""
    wanted = list(dict.fromkeys(_reached(pack, kind, name)))
    links = Linker(pack, lambda kind, name: f"#{kind}-{name}" if (kind, name) in wanted else None)
    parts = [
        h.section(id=f"{one}-{name}")[part_of(links, one, name, first=number == 0)]
        for number, (one, name) in enumerate(wanted)
    ]
    return page(name, *parts, foot=_foot(pack))


def part_of(links: Linker, kind: str, name: str, *, first: bool = True) -> h.Node:
    """A flow or a table as a part of a page."""
    return flow_parts(links, name, first=first) if kind == "flow" else table_parts(links, name, first=first)


def flow_parts(links: Linker, name: str, *, first: bool = True) -> h.Node:
    """A flow: what it is for, its picture, what leads to it."""
    flow = links.pack.flows[name]
    title = h.h1 if first else h.h2
    facts = [
        f"запросы: {', '.join(flow.intents)}" if flow.intents else "",
        "перед ним проверки (guarded)" if flow.guarded else "",
    ]
    facts += [
        "реплика разговора, не запрос" if flow.dialogue else "",
        "срочный: слышен посреди ответа" if flow.urgent else "",
    ]
    return h.fragment[
        title[f"Поток {name}"],
        h.p(".lead")[flow.about, h.br if flow.about else None, h.small(".code")[place_of(links.pack, f"flow:{name}")]],
        pills([(fact, "") for fact in facts if fact]),
        links.callers("flow", name),
        h.div(".card.scroll.picture")[Markup(svg(links.pack, name, links.to))],
    ]


def _reached(pack: flows.Pack, kind: str, name: str) -> Iterator[tuple[str, str]]:
    """A flow or table and all flows and tables that it leads to, each once, near ones first."""
    found, waiting = {(kind, name)}, [(kind, name)]
    while waiting:
        one = waiting.pop(0)
        yield one
        steps = (
            pack.flows[one[1]].steps if one[0] == "flow" else [s for row in pack.tables[one[1]].rows for s in row.steps]
        )
        for other in leads_to(pack, steps):
            if other not in found:
                found.add(other)
                waiting.append(other)


# --------------------------------------------------------------------------------------------------------- the site
def site(pack: flows.Pack) -> Iterator[tuple[str, str]]:
    """All pages of a pack: file name and text."""
    from bot.pages.overview import index, phrases, rules

    links = Linker(pack, _file)
    bar = _bar(pack)
    yield "index.html", page(pack.manifest.title, index(links), nav=bar, foot=_foot(pack), search=True)
    yield "phrases.html", page("Фразы", phrases(links), nav=bar, foot=_foot(pack), search=True)
    yield "rules.html", page("Правила", rules(links), nav=bar, foot=_foot(pack), search=True)
    for kind, there in (("flow", pack.flows), ("table", pack.tables)):
        for name in there:
            yield f"{kind}-{name}.html", page(name, part_of(links, kind, name), nav=bar, foot=_foot(pack))


def write_site(pack: flows.Pack, folder: Path, told: Callable[[str], None] = lambda name: None) -> int:
    """Write all pages of a pack into a folder; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = 0
    for name, text in site(pack):
        (folder / name).write_text(text, "utf-8")
        pages += 1
        told(name)
    return pages


def _file(kind: str, name: str) -> str | None:
    if kind == "phrase":
        return f"phrases.html#{name}"
    if kind == "row":
        return f"table-{name.rpartition('.')[0]}.html#{name}"
    return f"{kind}-{name}.html"


def _bar(pack: flows.Pack) -> h.Node:
    pages = (("index.html", "Потоки и таблицы"), ("phrases.html", "Фразы"), ("rules.html", "Правила"))
    return h.header[h.nav[h.b[pack.manifest.title], [h.a(href=file)[title] for file, title in pages]]]


def _foot(pack: flows.Pack) -> str:
    return f"Набор {pack.manifest.name}, версия {pack.version}. Сделано командой firstline draw."


__all__ = ["Links", "drawing", "page", "site", "write_site"]
