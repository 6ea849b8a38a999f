"""An explanation as a person who writes scripts reads it in a terminal: Russian, with file and line of everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

import flows
from flows.explain import Explanation, Known
from flows.trace import Condition, Node, Went
from flows.words import HITS, SPECIALS, VERBS, condition_text, value_text

FEW_VALUES = 5
FEW_ROWS = 8
"""A table that does not stop at its first row shows what did not fit only when it is this short."""
MARKS = {
    Went.TAKEN: ("✓", "green"),
    Went.SKIPPED: ("✗", "red"),
    Went.BEATEN: ("≈", "yellow"),
    Went.UNTRIED: ("·", "dim"),
}
VERDICTS = {"sure": "уверенно", "ambiguous": "неоднозначно", "not_understood": "не понято"}
ENDS = {
    "on": "до конца", "stop": "до конца", "wait": "ждём ответа клиента", "handoff": "передано людям",
}  # fmt: skip


class ExplainView:
    """Prints explanations. `everything`: also the steps that were left out and the rows that did not fit."""

    def __init__(self, pack: flows.Pack, console: Console, *, everything: bool = False) -> None:
        self.pack, self.console, self.everything = pack, console, everything
        self.shown: set[tuple[object, ...]] = set()
        # flows that were shown with all that is in them: the same again is not told twice
        self.zone = pack.zone

    def show(self, explanation: Explanation, *, said: str | None = None, notices: Sequence[flows.Say] = ()) -> None:
        """Print one turn. `said`: what the customer did, where that is no text. `notices`: what the system tells then."""
        self.shown.clear()
        self.console.print(*self._message(explanation, said), sep="\n")
        for request in explanation.requests:
            self.console.print(self._request(request))
        self.console.print(self._facts(explanation))
        for part in (*self._answer(explanation.decision), *self._said("Сообщение системы", notices)):
            self.console.print(part)
        self.console.print()

    # ------------------------------------------------------------------------------------------------- the message
    def _message(self, one: Explanation, said: str | None) -> Iterator[Text]:
        said = said or (f"«{one.text}»" if one.text else "без слов")
        at = one.at.astimezone(self.zone)
        yield Text.assemble(("Клиент: ", "bold"), said, (f"   {one.channel}, {one.chat}, {at:%d.%m.%Y %H:%M}", "dim"))
        if one.parse is not None:
            read = ", ".join(f"{reading.name} {reading.confidence:.2f}" for reading in one.parse.intents) or "ничего"
            data = "".join(f"; {entity.entity} = {entity.value}" for entity in one.parse.entities)
            yield Text.assemble(("Прочитано: ", "bold"), f"{read} ({VERDICTS[one.parse.verdict]}){data}")
            others = [reading for reading in one.parse.ranking if reading not in one.parse.intents]
            if others and (self.everything or one.parse.verdict is not flows.Verdict.SURE):
                likely = ", ".join(f"{reading.name} {reading.confidence:.2f}" for reading in others)
                yield Text(f"  похоже также на: {likely}", "dim")
        if one.heard.asked:
            fits = "это ответ" if one.heard.answered else "это не ответ"
            yield Text.assemble(("Бот спрашивал: ", "bold"), f"{one.heard.asked} — {fits}")
        if one.heard.missed:
            yield Text.assemble(("Не понято: ", "bold"), "работает поток исправления")
        for asked in one.asked:
            args = ", ".join(f"{name}={value}" for name, value in asked.args.items())
            answer = "не отвечает" if asked.down else brief(asked.answer)
            yield Text.assemble(("Спрошено: ", "bold"), f"{asked.source}({args}) → {answer}")
        for done in one.done:
            args = ", ".join(f"{name}={value}" for name, value in done.args.items())
            told = ", ".join(f"{key}={value}" for key, value in done.result.items())
            yield Text.assemble(("Сделано в CRM: ", "bold"), f"{done.action}({args}) → {told}")

    # ------------------------------------------------------------------------------------------------- what was done
    def _request(self, request: Node) -> RenderableType:
        if request.kind == "table":
            title = Text.assemble(("Срочность обращения: ", "bold"), f"таблица {request.name}", self._where(request))
            tree = Tree(title, guide_style="dim")
            self._rows(tree, request.name, request.inside)
            return tree
        flow, ended = request.detail.get("flow", ""), ENDS.get(str(request.detail.get("ended")), "")
        title = Text.assemble(
            ("Запрос " if request.name in self.pack.intents else "Поток ", "bold"), (request.name, "bold cyan"),
            f" → поток {flow}" if flow != request.name else "", self._where(request), (f" — {ended}" if ended else "", "dim"),
        )  # fmt: skip
        tree = Tree(title, guide_style="dim")
        self._inside(tree, request.inside)
        return tree

    def _inside(self, tree: Tree, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if not self._matters(node):
                continue
            match node.kind, node.name:
                case ("flow", name):
                    about = self.pack.flows[name].about if name in self.pack.flows else ""
                    named = Text.assemble(
                        "поток ", (name, "cyan"), self._where(node), (f" {about}" if self.everything else "", "dim")
                    )
                    self._flow(tree, node, named)
                case ("phrase", name):
                    tree.add(self._phrase(node))
                case ("arm", number):
                    self._inside(tree.add(Text.assemble(f"ветка {number}: ", self._why(node))), node.inside)
                case ("step", "call" | "branch") if node.went is Went.TAKEN and not self.everything:
                    self._inside(tree, node.inside)
                case ("step", "table"):
                    self._table(tree, node)
                case _:
                    self._inside(tree.add(self._step(node)), node.inside)

    def _flow(self, tree: Tree, node: Node, named: Text) -> None:
        """A flow with what is in it, or a word that it went as before."""
        seen = tuple((one.kind, one.name, one.went) for one in node.walk())
        if not self.everything and seen in self.shown:
            tree.add(Text.assemble(named, (" — так же, как выше", "dim")))
            return
        self.shown.add(seen)
        self._inside(tree.add(named), node.inside)

    def _matters(self, node: Node) -> bool:
        """Whether a node says something to a reader who asks why: it did something, or held a table that was asked."""
        if self.everything:
            return True
        if node.went is not Went.TAKEN:
            return False
        if node.kind in ("flow", "arm") or node.name in ("call", "branch"):
            return any(self._matters(one) for one in node.inside)
        return bool(node.kind != "step" or node.inside or any(node.detail.get(key) for key in node.detail))

    def _table(self, tree: Tree, node: Node) -> None:
        name = str(node.detail.get("table"))
        line = self._step(node)
        if node.went is Went.TAKEN and name in self.pack.tables:
            line.append(f" — {HITS[self.pack.tables[name].hit.value]}", "dim")
            self._rows(tree.add(line), name, node.inside)
        else:
            tree.add(line)

    def _rows(self, tree: Tree, name: str, rows: list[Node]) -> None:
        stops = self.pack.tables[name].hit.value == "first"
        left_out: list[Node] = []
        for row in rows:
            held = row.went in (Went.TAKEN, Went.BEATEN)
            if self.everything or held or (row.went is Went.SKIPPED and (stops or len(rows) <= FEW_ROWS)):
                branch = tree.add(self._row(row))
                self._inside(branch, row.inside)
            else:
                left_out.append(row)
        if not any(row.went is Went.TAKEN for row in rows):
            tree.add(Text("ни одна строка не подошла", "dim"))
        if left_out:
            reason = "до остальных строк дело не дошло" if stops else "остальные строки не подошли, их покажет --all"
            tree.add(Text(f"· {reason}: {len(left_out)}", "dim"))

    def _row(self, row: Node) -> Text:
        mark, colour = MARKS[row.went]
        rules = " ".join(row.rules)
        return Text.assemble(
            (f"{mark} {row.name} ", colour), (f"{rules} " if rules else "", "bold"), self._why(row), self._where(row)
        )

    def _step(self, node: Node) -> Text:
        mark, colour = ("", "") if node.went is Went.TAKEN else MARKS[node.went]
        detail = node.detail
        match node.name:
            case "set":
                told = ", ".join(
                    f"{name} = {value_text(self.pack, name, value)}" for name, value in detail["set"].items()
                )
            case "collect":
                known = not node.inside and node.went is Went.TAKEN
                told = f"{detail['collect']}{' (уже известно)' if known else ''}"
            case "do":
                told = SPECIALS.get(str(detail["do"]), "")
            case "handoff" | "case":
                told = f"{detail[node.name]} — {detail.get('why', '')}"
            case "stop":
                told = ""
            case "say":
                told = ", ".join([detail["say"]] if isinstance(detail["say"], str) else detail["say"])
                told += "" if node.inside or node.went is not Went.TAKEN else " (уже было сказано)"
            case name:
                told = str(detail.get(name, ""))
        rules = f" {' '.join(node.rules)}" if node.rules else ""
        why = self._why(node) if node.conditions else Text()
        return Text.assemble((f"{mark} " if mark else "", colour), VERBS[node.name].lower(), " ", told, (rules, "bold"), Text.assemble(" если ", why) if why else "", self._where(node))  # fmt: skip

    def _phrase(self, node: Node) -> Text:
        detail = node.detail
        variant = f", вариант {detail['variant']} из {detail['of']}" if detail["of"] > 1 else ""
        return Text.assemble("фраза ", (node.name, "cyan"), variant, self._where(node))

    def _why(self, node: Node) -> Text:
        """The conditions that held; of a row or step that was left out the one that failed, and the value it met."""
        if node.went in (Went.TAKEN, Went.BEATEN):
            return Text("; ".join(map(self._held, node.conditions)) or "без условий")
        failed = next((one for one in node.conditions if one.holds is False), None)
        return Text() if failed is None else Text.assemble(self._failed(failed), (f" — {self._met(failed)}", "red"))

    def _held(self, one: Condition) -> str:
        """A condition that held; of a long list of values the one that it met."""
        if isinstance(one.wants, list | tuple) and one.name != "any" and len(one.wants) > FEW_VALUES:
            return f"{one.name}: {value_text(self.pack, one.name, one.value)} (одно из {len(one.wants)})"
        return condition_text(self.pack, one.name, one.wants)

    def _failed(self, one: Condition) -> str:
        """A condition that failed; of a long list of values only the first."""
        if isinstance(one.wants, list | tuple) and one.name != "any" and len(one.wants) > FEW_VALUES:
            first = condition_text(self.pack, one.name, list(one.wants[:FEW_VALUES]))
            return f"{first.replace(' или ', ', ')} … (всего {len(one.wants)})"
        return condition_text(self.pack, one.name, one.wants)

    def _met(self, failed: Condition) -> str:
        if failed.name == "any":
            return "; ".join(
                f"{name}: {value_text(self.pack, name, value)}" for name, value in (failed.value or {}).items()
            )
        return f"сейчас {value_text(self.pack, failed.name, failed.value)}"

    @staticmethod
    def _where(node: Node) -> Text:
        return Text(f"  {node.where}" if node.where else "", "dim")

    # ----------------------------------------------------------------------------------------------- facts and answer
    def _facts(self, one: Explanation) -> RenderableType:
        shown = [known for known in one.facts if self.everything or known.matters]
        if not shown:
            return Text()
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for title in ("  факт или слот", "значение", "откуда", "где описан"):
            table.add_column(title, overflow="fold")
        for known in shown:
            table.add_row(
                f"  {known.name}", value_text(self.pack, known.name, known.value), self._origin(known), known.where
            )
        return Group(Text("Что известно", "bold"), table)

    @staticmethod
    def _origin(known: Known) -> str:
        if known.kind == "slot":
            return "слот"
        named = {"path": "ответ системы", "setting": "настройка", "own": "сам разговор"}
        return named.get(known.kind) or (
            known.how.removeprefix("from ") if known.how.startswith("from ") else "выведен"
        )

    def _answer(self, decision: flows.Decision) -> Iterator[RenderableType]:
        for lookup in decision.lookups:
            yield Text(f"Не хватает ответа: {lookup.source} {dict(lookup.args)}", "red")
        for act in decision.acts:
            yield Text(f"Нужно изменение в CRM: {act.action} {dict(act.args)}", "red")
        yield from self._said("Ответ", decision.messages)
        for handed in filter(None, [decision.handoff, *decision.cases]):
            what = f"задача {handed.category}" if handed.category else "людям"
            until = f", срок {handed.due:%d.%m %H:%M}" if handed.due else ""
            yield Text.assemble(
                (f"Передано ({what}): ", "bold"),
                f"{handed.queue}, {handed.priority}{until}",
                (f"  {' '.join(handed.rules)}", "bold"),
            )
            yield _indented(Text(handed.comment, "dim"))
        if decision.append:
            yield Text.assemble(("Добавлено к обращению: ", "bold"), decision.append)
        if decision.cancel_request:
            yield Text("Обращение отменено", "bold")

    @staticmethod
    def _said(title: str, says: Iterable[flows.Say]) -> Iterator[RenderableType]:
        for say in says:
            yield Text.assemble((title, "bold"), f"  {' '.join(say.rules)}")
            yield _indented(Text(say.text))
            if say.buttons:
                yield _indented(Text(" ".join(f"[{button.title}]" for button in say.buttons), "cyan"))


def brief(answer: object) -> str:
    """What a system of the shop answered, in a line."""
    if answer is None:
        return "ничего не найдено"
    if isinstance(answer, list):
        names = [
            str(one.get("number") or one.get("name") or one.get("order") or "…")
            for one in answer
            if isinstance(one, dict)
        ]
        return f"{len(answer)}: {', '.join(names)}" if names else str(len(answer))
    if isinstance(answer, dict):
        return ", ".join(
            f"{key}={value}" for key, value in answer.items() if isinstance(value, str | int | float) and value
        )
    return str(answer)


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 2), expand=False)
