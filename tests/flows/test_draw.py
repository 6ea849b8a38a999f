"""Flows and tables as pictures and pages: everything is there, nothing is cut off, links lead somewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import flows
from bot import pages
from flows.coverage import cover, draw_map
from flows.draw import Box, Choice, Only, blocks, boxes, exits, leads_to, mermaid
from flows.pack import Row, Table
from flows.svg import PAD, WIDTH, measured, svg, wrapped

LIBRARY = flows.load(Path(__file__).parent.parent / "packs" / "library")
SHOP = flows.load_shipped("shop")
SVG = "{http://www.w3.org/2000/svg}"


class TestBlocks:
    def test_neighbours_under_one_condition_stand_together(self) -> None:
        made = blocks(SHOP, SHOP.flows["place_order"].steps)
        first = made[0]
        assert isinstance(first, Only)
        assert [box.kind for box in first.body if isinstance(box, Box)] == ["say", "stop"]
        assert first.condition == "customer_agrees: нет"

    def test_a_branch_is_a_choice_with_its_conditions_in_order(self) -> None:
        made = blocks(LIBRARY, LIBRARY.flows["loan_extend"].steps)
        choice = made[-1]
        assert isinstance(choice, Choice)
        assert [condition for condition, _ in choice.arms] == ["agreed: нет", ""]

    def test_what_ends_a_flow_has_no_way_on(self) -> None:
        assert not exits(blocks(LIBRARY, LIBRARY.flows["old_papers"].steps))
        assert exits(blocks(LIBRARY, LIBRARY.flows["loan_due"].steps))

    def test_calls_and_tables_are_told(self) -> None:
        assert list(leads_to(LIBRARY, LIBRARY.flows["loan_due"].steps)) == [("table", "due")]
        reached = list(leads_to(SHOP, SHOP.flows["identify_and_route"].steps))
        assert ("flow", "choose_order") in reached
        assert ("table", "partner") in reached


class TestMermaid:
    def test_every_step_is_a_node_and_every_arrow_ends_at_one(self) -> None:
        text = mermaid(LIBRARY, "loan_extend")
        nodes = set(re.findall(r"^    (\w+)[\[({]", text, re.M))
        arrows = re.findall(r"^    (\w+) -->(?:\|[^|]+\|)? (\w+)$", text, re.M)
        assert arrows
        assert {node for arrow in arrows for node in arrow} <= nodes
        assert "Спросить: days" in text
        assert "EXT-1" in text

    @pytest.mark.parametrize("name", sorted(SHOP.flows))
    def test_no_text_breaks_the_drawing(self, name: str) -> None:
        for line in mermaid(SHOP, name).splitlines()[1:]:
            for quoted in re.findall(r'"([^"]*)"', line):
                assert not set("{}|") & set(quoted), line
            assert line.count('"') % 2 == 0, line

    def test_links_go_where_they_are_told(self) -> None:
        assert 'click n2 "table-due.html"' in mermaid(LIBRARY, "loan_due", lambda kind, name: f"{kind}-{name}.html")
        assert "click" not in mermaid(LIBRARY, "loan_due")


class TestSvg:
    @pytest.mark.parametrize("name", sorted(SHOP.flows))
    def test_a_flow_is_a_picture_with_all_its_words_inside_their_boxes(self, name: str) -> None:
        root = ElementTree.fromstring(svg(SHOP, name))
        width, height = float(root.get("width", 0)), float(root.get("height", 0))
        boxes = _placed(root, "rect")
        assert boxes
        for x, y, box in boxes:
            assert x + float(box.get("width", 0)) <= width + 0.1
            assert y + float(box.get("height", 0)) <= height + 0.1
        for text in root.iter(f"{SVG}text"):
            size = 11 if text.get("class") == "r" else 13
            if text.get("class") != "l":
                end = float(text.get("x", 0)) + measured(text.text or "", bold=text.get("class") == "t", size=size)
                assert end <= WIDTH - PAD + 2, text.text

    def test_all_words_of_a_step_are_there(self) -> None:
        root = ElementTree.fromstring(svg(LIBRARY, "old_papers"))
        words = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
        assert "Передать людям: archive" in words
        assert "Вопрос к архиву" in words
        assert "ARC-1" in words

    def test_no_two_boxes_overlap(self) -> None:
        for name in SHOP.flows:
            boxes = _placed(ElementTree.fromstring(svg(SHOP, name)), "rect")[1:]
            corners = [(x, y, x + float(b.get("width", 0)), y + float(b.get("height", 0))) for x, y, b in boxes]
            for number, (left, top, right, bottom) in enumerate(corners):
                for other in corners[number + 1 :]:
                    apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                    assert apart, f"{name}: {(left, top, right, bottom)} and {other}"

    def test_calls_and_tables_are_links(self) -> None:
        root = ElementTree.fromstring(svg(LIBRARY, "loan_due", lambda kind, name: f"{kind}-{name}.html"))
        assert [link.get("href") for link in root.iter(f"{SVG}a")] == ["table-due.html"]

    def test_a_word_longer_than_a_line_is_broken_and_whole(self) -> None:
        long = "очень_длинное_имя_факта_которое_не_помещается_в_строку_рисунка"
        lines = wrapped(f"если {long} известно")
        assert "".join(lines).replace(" ", "") == f"если{long}известно"
        assert all(measured(line) <= WIDTH - 2 * PAD for line in lines)


def _placed(root: ElementTree.Element, tag: str) -> list[tuple[float, float, ElementTree.Element]]:
    """Elements with where they stand in the picture."""
    found: list[tuple[float, float, ElementTree.Element]] = []

    def walk(node: ElementTree.Element, x: float, y: float) -> None:
        if moved := re.fullmatch(r"translate\(([\d.]+) ([\d.]+)\)", node.get("transform", "")):
            x, y = x + float(moved[1]), y + float(moved[2])
        if node.tag == f"{SVG}{tag}":
            found.append((x + float(node.get("x", 0)), y + float(node.get("y", 0)), node))
        for child in node:
            walk(child, x, y)

    walk(root, 0.0, 0.0)
    return found


class _Page(HTMLParser):
    """Links, ids and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.ids, self.words = list[str](), set[str](), ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.links += [known["href"]] if tag == "a" and known.get("href") else []
        self.ids |= {known["id"]} if known.get("id") else set()
        self.open.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += f"{data} "


class TestPages:
    def test_every_link_of_the_site_leads_somewhere(self) -> None:
        made = {name: _Page(text) for name, text in pages.site(LIBRARY)}
        assert {"index.html", "phrases.html", "rules.html", "flow-who.html", "table-due.html"} <= set(made)
        for name, one in made.items():
            for link in one.links:
                file, _, part = link.partition("#")
                target = made[file or name]
                assert not part or part in target.ids, f"{name}: {link}"

    def test_a_table_tells_its_rows_their_conditions_and_what_the_customer_reads(self) -> None:
        words = _Page(pages.drawing(LIBRARY, "table", "due")).words
        for piece in ("DUE-1", "loan_state", "≤ 0", "пора вернуть", "Передать людям", "desk", "пропусков нет"):
            assert piece in words, piece
        assert "например: " in words

    def test_a_gap_and_a_dead_row_are_shown(self) -> None:
        table = LIBRARY.tables["due"]
        rows = (*table.rows[:3], Row(when={"loan_state": "lost"}, rule="DUE-9"))
        broken = LIBRARY.model_copy(
            update={"tables": {**LIBRARY.tables, "due": table.model_copy(update={"rows": rows})}}
        )
        words = _Page(pages.drawing(broken, "table", "due")).words
        assert "нет строки для: days_left: неизвестно" in words
        assert "никогда не сработают строки: 4" in words
        assert "ни одно сочетание сюда не приводит" in words

    def test_a_single_page_holds_all_that_it_leads_to(self) -> None:
        one = _Page(pages.drawing(LIBRARY, "flow", "loan_due"))
        assert {"flow-loan_due", "table-due"} <= one.ids
        assert all(link[1:] in one.ids for link in one.links if link.startswith("#"))

    def test_text_of_the_content_never_becomes_markup(self) -> None:
        phrase = LIBRARY.phrases["kept"].model_copy(update={"say": ("<script>alert(1)</script> & всё",)})
        evil = LIBRARY.model_copy(update={"phrases": {**LIBRARY.phrases, "kept": phrase}})
        for name, text in pages.site(evil):
            assert "<script>alert" not in text, name

    def test_the_pages_are_written_to_a_folder(self, tmp_path: Path) -> None:
        count = pages.write_site(LIBRARY, tmp_path / "site")
        assert count == len(list((tmp_path / "site").iterdir())) == 3 + len(LIBRARY.flows) + len(LIBRARY.tables)


class TestMap:
    def test_each_cell_names_the_rows_that_may_apply(self) -> None:
        drawn = draw_map(LIBRARY, LIBRARY.tables["due"])
        assert drawn is not None
        assert {drawn.across, drawn.down} == {"loan_state", "days_left"}
        by_state = {
            (line, column) if drawn.down == "loan_state" else (column, line): rows
            for (line, column), rows in drawn.cells.items()
        }
        assert by_state["out", -1.0] == (1,)
        assert by_state["out", 1.0] == (2,)
        assert by_state["back", 1.0] == (3,)
        assert by_state["out", None] == (4,)

    def test_every_row_that_applies_has_an_example(self) -> None:
        for name, table in SHOP.tables.items():
            found = cover(SHOP, table)
            assert set(found.examples) == set(range(1, len(table.rows) + 1)) - set(found.dead), name

    def test_rows_that_apply_beside_one_another_make_no_map(self) -> None:
        collecting = Table.model_validate({"hit": "collect", "rows": [{"when": {"loan_state": "out"}}]})
        assert draw_map(LIBRARY, collecting) is None


class TestTaken:
    """The way that a decision took, in the picture of its flow."""

    def test_steps_that_were_taken_stand_out_and_the_others_step_back(self) -> None:
        steps = list(boxes(blocks(SHOP, SHOP.flows["place_order"].steps, "flow:place_order")))
        assert len({box.where for box in steps}) == len(steps) > 3  # each stands somewhere else
        assert all(re.fullmatch(r"flows/\w+\.yml:\d+", box.where) for box in steps)
        drawn = svg(SHOP, "place_order", taken={steps[0].where}, styled=False)
        assert "<style" not in drawn
        assert drawn.count('<g class="taken">') >= 1
        assert drawn.count('<g class="taken">') + drawn.count('<g class="left">') >= len(steps)
        assert 'class="left"' not in svg(SHOP, "place_order")
        assert '<g class="taken">' not in svg(SHOP, "place_order", taken=())

    def test_a_condition_was_taken_when_something_behind_it_was(self) -> None:
        name = next(
            name for name, flow in SHOP.flows.items() if any(isinstance(one, Only) for one in blocks(SHOP, flow.steps))
        )
        body = blocks(SHOP, SHOP.flows[name].steps, f"flow:{name}")
        (behind, *_) = [one for one in body if isinstance(one, Only)]
        (inside, *_) = list(boxes(behind.body))
        drawn = svg(SHOP, name, taken={inside.where})
        condition = re.search(r'<g class="(\w+)"><rect class="k-when"', drawn)
        assert condition is not None
        assert '<g class="taken"><rect class="k-when"' in drawn
