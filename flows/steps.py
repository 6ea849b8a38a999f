"""Taking the steps of flows for one request of the customer.

A request is served from the top of its flow each time: what is known already is not asked again, what was said already is
not said again, and what changed changes the way. So a digression, a correction or a restart needs no bookkeeping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from flows.decision import Act, Answered, Asking, Button, ConversationState, Topic, Turn, Unavailable
from flows.errors import ContentError, EndlessFlow
from flows.facts import View
from flows.known import Scope
from flows.match import matches
from flows.pack import (
    ActStep,
    AnyStep,
    Branch,
    ButtonSpec,
    Call,
    CaseStep,
    Collect,
    Count,
    HandoffStep,
    Pack,
    Phrase,
    SayStep,
    SetStep,
    Special,
    Stop,
    TableStep,
)
from flows.phrases import fill, fill_in, phrase, render
from flows.tables import hits
from flows.trace import Trace

MAX_STEPS = 250
# for each request of a turn: more is a circle
MAX_TITLE = 40
MAX_EACH = 6
# buttons made of a list's members: what a small screen and VK's keyboard hold


class ActNeeded(Exception):
    """A change that the CRM has to make before the flow can go on."""

    def __init__(self, act: Act) -> None:
        super().__init__(act)
        self.act = act


class Signal(Enum):
    """How a run of steps ended."""

    ON = auto()
    # to the end: the request is answered
    STOP = auto()
    WAIT = auto()
    # for the customer's answer
    HANDOFF = auto()


@dataclass(slots=True)
class Part:
    """What is said in one turn about one request."""

    paragraphs: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    question: str | None = None
    buttons: list[Button] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    ask_contact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A handoff or case that a flow asks for; `decide` joins those of a turn."""

    queue: str
    why: str
    rules: tuple[str, ...]
    topic: Topic
    next_step: str | None = None
    notice: str | None = None
    priority: str | None = None
    category: str | None = None
    due_hours: float | None = None
    by: str | None = None
    # ISO 8601 day at whose end it is due, if that is later
    marks: tuple[str, ...] = ()


@dataclass(slots=True)
class Run:
    """One turn's work in progress: what the flows have done so far."""

    pack: Pack
    turn: Turn
    state: ConversationState
    topics: tuple[str, ...] = ()
    answered: bool = False
    # the question asked last was answered, or the turn is a digression: asking it again is no failure
    parts: list[Part] = field(default_factory=list)
    asking: Asking | None = None
    handoffs: list[Wanted] = field(default_factory=list)
    cases: list[Wanted] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    # what answers tell, whatever their wording: phrase|gist
    specials: set[str] = field(default_factory=set)
    offered: str | None = None
    requests: int = 1
    # how many may be served in it
    steps: int = 0
    # taken so far
    trace: Trace | None = None
    # keeps what is looked at, when somebody asks

    def outcome(self, act: Act, *, changes: bool = True) -> Mapping[str, Any]:
        """Give the result of a change; after one made in this turn the run goes on with what is known since then.

        Raises ActNeeded when the CRM has not been asked yet.
        """
        if act.key in self.state.deeds:
            return dict(self.state.deeds[act.key]["result"])
        if not self.turn.changes:
            raise ActNeeded(act)
        change, *later = self.turn.changes
        if change.act.key != act.key:
            raise ContentError(f"another change was made before: {change.act.action}, not {act.action}")
        before = self.turn.facts
        again = {source.lookup for source in self.pack.sources.values() if source.of == "crm" and changes}
        kept = {lookup: answer for lookup, answer in before.items() if lookup.source not in again}
        newer = {
            lookup: before.get(lookup, answer) if isinstance(answer, Unavailable) else answer
            for lookup, answer in change.facts.items()
        }
        self.turn = replace(self.turn, facts={**kept, **newer}, changes=tuple(later))
        deed = {"action": act.action, "args": dict(act.args), "result": dict(change.result)}
        self.state = replace(self.state, deeds={**self.state.deeds, act.key: deed})
        return change.result

    def serve(self, flow: str, topic: Topic, number: int = -1, *, asked: bool = False) -> tuple[Topic, Signal, Part]:
        """Serve a request by a flow: the request as it is afterwards, how it ended, and what is said.

        `number` is its place among the open requests if it stays open, `asked` whether the last question was in it.
        """
        if self.trace is None:
            return _Server(self, topic, number, asked=asked).serve(flow)
        with self.trace.serving(topic.intent, flow, topic.slots) as node:
            served = _Server(self, topic, number, asked=asked).serve(flow)
            node.detail["ended"] = served[1].name.lower()
        return served


class _Server:
    """Serves one request within a run."""

    def __init__(self, run: Run, topic: Topic, number: int, *, asked: bool) -> None:
        self.run, self.topic, self.number, self.asked = run, topic, number, asked
        self.part = Part()
        self.rules: tuple[str, ...] = ()
        self.dialogue = False
        self.handing_to: str | None = None
        self.look()

    def look(self) -> None:
        """Take a fresh view: a slot has changed."""
        self.view = View(self.run.pack, self.run.turn, self.run.state, self.topic, self.run.topics)
        self.view.handing_to = self.handing_to

    def serve(self, flow: str) -> tuple[Topic, Signal, Part]:
        pack = self.run.pack
        self.dialogue = pack.flows[flow].dialogue
        signal = Signal.ON
        if pack.flows[flow].guarded:
            signal = self.take(pack.flows[pack.manifest.before].steps)
        if signal is Signal.ON:
            signal = self.take(pack.flows[flow].steps)
        if signal in (Signal.ON, Signal.STOP):
            signal = self.after()
        self.topic = replace(self.topic, rules=_merged(self.topic.rules, self.part.rules))
        return self.topic, signal, self.part

    def after(self) -> Signal:
        """Run the pack's `after` flow: the request is answered, or about to be handed over."""
        name = self.run.pack.manifest.after
        return Signal.ON if name is None or self.dialogue else self.take(self.run.pack.flows[name].steps)

    def take(self, steps: Sequence[AnyStep]) -> Signal:
        """Take steps in order until one ends the request or waits."""
        if self.run.trace is None:
            return self.take_each(steps)
        with self.run.trace.through(steps):
            return self.take_each(steps)

    def take_each(self, steps: Sequence[AnyStep]) -> Signal:
        for step in steps:
            self.run.steps += 1
            if self.run.steps > MAX_STEPS * self.run.requests:
                raise EndlessFlow(f"more than {self.run.steps - 1} steps in one turn, last in {self.topic.intent}")
            if step.when is not None and not matches(step.when, self.view.get):
                if self.run.trace is not None:
                    self.run.trace.skipped(step, self.view)
                continue
            before = self.rules
            self.rules = _merged(self.rules, step.rule)
            signal = self.step(step)
            self.rules = before
            if signal is not Signal.ON:
                return signal
        return Signal.ON

    def step(self, step: AnyStep) -> Signal:
        if self.run.trace is None:
            return self.do(step)
        with self.run.trace.taking(step, self.view):
            return self.do(step)

    def do(self, step: AnyStep) -> Signal:
        match step:
            case SayStep():
                for name in step.say:
                    self.say(name, apart=step.apart)
            case Collect():
                return self.collect(step)
            case TableStep():
                return self.table(step.table)
            case Branch():
                arm = next((arm for arm in step.branch if matches(arm.when, self.view.get)), None)
                return self.take(arm.steps) if arm else Signal.ON
            case Call():
                if step.alone:
                    self.rules = step.rule
                return self.take(self.run.pack.flows[step.call].steps)
            case SetStep():
                for name, value in step.set.items():
                    self.set(name, value)
            case Count():
                times = self.run.state.counters.get(step.count, ())
                moment = (*times, self.run.turn.now.isoformat())[-20:]
                self.run.state = replace(self.run.state, counters={**self.run.state.counters, step.count: moment})
                self.look()
            case ActStep():
                self.act(step)
            case CaseStep():
                self.case(step)
            case HandoffStep():
                return self.handoff(step)
            case Special():
                self.run.specials.add(step.do)
            case Stop():
                self.part.rules = list(_merged(tuple(self.part.rules), self.rules))
                return Signal.STOP
        return Signal.ON

    # ---------------------------------------------------------------------------------------------------- the kinds
    def table(self, name: str) -> Signal:
        try:
            found = hits(self.run.pack.tables[name], self.view.get)
        except ContentError as error:
            raise ContentError(f"table {name!r}: {error}") from error
        for hit in found:
            before = self.rules
            self.rules = _merged(self.rules, (*hit.row.rule, *hit.beside))
            signal = self.take(hit.row.steps)
            if hit.beside or all(isinstance(step, SetStep) for step in hit.row.steps):
                self.part.rules = list(_merged(tuple(self.part.rules), self.rules))
            self.rules = before
            if signal is not Signal.ON:
                return signal
        return Signal.ON

    def say(self, name: str, *, apart: bool = False, question: bool = False) -> None:
        """Say a phrase unless it was said in this request or this turn already."""
        spoken = phrase(self.run.pack, name)
        self.part.rules = list(_merged(tuple(self.part.rules), (*self.rules, *spoken.rule)))
        content = f"{name}|{fill(spoken.say[0], self.view)}"  # of two orders, say: the same phrase, another content
        if not question and (name in self.topic.said or content in self.run.said):
            return
        text, variant = render(self.run.pack, name, self.view, self.run.turn.seed, self.run.state.used.get(name))
        self.run.said.add(content)
        self.part.phrases.append(name)
        self.part.buttons += [button for button in self.buttons(spoken) if button not in self.part.buttons]
        self.part.ask_contact |= spoken.ask_contact
        self.run.offered = spoken.offer or self.run.offered
        if question:
            self.part.question = text
        else:
            (self.part.apart if apart else self.part.paragraphs).append(text)
            self.topic = replace(self.topic, said=(*self.topic.said, name))
        self.remember(name, spoken, text, variant, question=question)
        if self.run.trace is not None:
            self.run.trace.said(name, text, variant, (*self.rules, *spoken.rule), question=question)

    def remember(self, name: str, spoken: Phrase, text: str, variant: int, *, question: bool) -> None:
        """Keep what the summary will tell: what was answered and what was promised."""
        state = self.run.state
        state = replace(state, used={**state.used, name: variant})
        if not question and not self.dialogue:
            rule = (*self.rules, *spoken.rule, None)[0]
            gist = (fill(spoken.gist, self.view) if spoken.gist else None) or text.split("\n")[0]
            self.run.told.add(f"{name}|{gist}")
            state = replace(state, answered=(*state.answered, Answered(rule=rule, gist=gist[:160]))[-20:])
        if spoken.promise:
            due = self.run.turn.now + timedelta(hours=spoken.promise_hours) if spoken.promise_hours else None
            told = {"what": fill(spoken.promise, self.view) or spoken.promise, "due": due.isoformat() if due else None}
            state = replace(state, promised=(*state.promised, told)[-10:])
        self.run.state = state

    def buttons(self, spoken: Phrase) -> list[Button]:
        pack = self.run.pack
        specs = [pack.buttons[one] if isinstance(one, str) else one for one in spoken.buttons]
        made = []
        if spoken.each and spoken.each_title and spoken.each_value:
            for member in (self.view.get(spoken.each) or ())[:MAX_EACH]:
                title, value = fill(spoken.each_title, self.view, member), fill(spoken.each_value, self.view, member)
                if title and value:
                    made.append(
                        ButtonSpec(
                            title=title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1]}…", value=value
                        )
                    )
        self.list_shown([spec.value for spec in made])
        own = {spec.value for spec in specs}
        made = [spec for spec in made if spec.value not in own]  # a reading that is the specialist's button already
        filled = [(fill(spec.title, self.view), fill(spec.value, self.view)) for spec in (*made, *specs)]
        return [Button(title, value) for title, value in filled if title and value]

    def list_shown(self, presses: Sequence[str]) -> None:
        """Keep a list of orders that is shown: «а первый отмените» may come when its question is answered."""
        named = {press.removeprefix("slot:").partition("=")[0] for press in presses}
        if any(name in self.run.pack.slots and self.run.pack.slots[name].each for name in named):
            self.run.state = replace(self.run.state, listed=tuple(presses))

    def collect(self, step: Collect) -> Signal:
        if self.view.get(step.collect) is not None:
            return Signal.ON
        if self.run.asking is not None:
            return Signal.WAIT  # one question at a time: this one waits for its turn
        prior = self.run.state.asking
        again = self.asked and prior is not None and prior.slot == step.collect
        failures = (prior.failures if prior else 0) + (0 if self.run.answered else 1) if again else 0
        if failures >= step.attempts:
            return self.take(self.run.pack.flows[step.otherwise or self.run.pack.manifest.repair.no_answer].steps)
        self.say(step.ask, question=True)
        self.run.asking = Asking(slot=step.collect, topic=self.number, phrase=step.ask, failures=failures)
        return Signal.WAIT

    def set(self, name: str, value: Any) -> None:
        if isinstance(value, str) and value.startswith("$"):
            value = self.view.get(value[1:])
        if self.run.pack.slots[name].scope is Scope.TOPIC:
            self.topic = replace(self.topic, slots={**self.topic.slots, name: value})
        else:
            self.topic = replace(self.topic, slots={key: kept for key, kept in self.topic.slots.items() if key != name})
            self.run.state = self.run.state.with_slot(name, value)
        self.look()

    def act(self, step: ActStep) -> None:
        filled = {argument: fill(text, self.view) for argument, text in step.args.items()}
        args = tuple((argument, value) for argument, value in filled.items() if value)
        act = Act(action=step.act, args=args, since=self.topic.since, rules=self.rules)
        missing = None in filled.values()  # what a change cannot do without is not known: the CRM is not asked
        result = {"ok": False} if missing else self.run.outcome(act, changes=step.changes)
        self.part.rules = list(_merged(tuple(self.part.rules), self.rules))
        if result.get("ok"):
            self.topic = replace(self.topic, changed=self.topic.changed or step.changes)
            for slot, key in step.take.items():
                self.set(slot, result.get(key))
        if step.result:
            reasons = (reason for reason in ("unsupported", "unavailable") if result.get(reason))
            self.set(step.result, "done" if result.get("ok") else next(reasons, "refused"))
        self.look()

    def case(self, step: CaseStep) -> None:
        category = self.run.pack.categories[step.case]
        self.part.rules = list(_merged(tuple(self.part.rules), self.rules))
        key = f"case:{step.case}:{','.join(self.rules)}"
        if key in self.topic.said:
            return
        self.topic = replace(self.topic, said=(*self.topic.said, key))
        hours = category.due_hours if step.due_hours is None else step.due_hours
        self.run.cases.append(
            Wanted(
                queue=step.queue or category.queue, why=fill_in(step.why, self.view), rules=self.rules,
                topic=self.topic, next_step=step.next_step and fill_in(step.next_step, self.view), priority=category.priority,
                category=step.case, due_hours=hours,
            )
        )  # fmt: skip

    def handoff(self, step: HandoffStep) -> Signal:
        queue = str(self.view.get(step.handoff[1:])) if step.handoff.startswith("$") else step.handoff
        if self.handing_to is None:
            self.handing_to = queue
            self.look()
            signal = self.after()
            self.handing_to = None
            self.look()
            if signal in (Signal.WAIT, Signal.HANDOFF):
                return signal
        later, by = self.run.pack.manifest.later, self.run.pack.manifest.later_by
        self.part.rules = list(_merged(tuple(self.part.rules), self.rules))
        self.topic = replace(self.topic, handoff=True, rules=_merged(self.topic.rules, self.rules))
        self.run.handoffs.append(
            Wanted(
                queue=queue, why=fill_in(step.why, self.view), rules=self.rules, topic=self.topic,
                next_step=step.next_step and fill_in(step.next_step, self.view), notice=step.notice, priority=step.urgency,
                category=step.category or (self.view.get(later) if later else None), marks=step.mark,
                by=str(day) if by and (day := self.view.get(by)) is not None else None,
            )
        )  # fmt: skip
        return Signal.ON if step.goes_on else Signal.HANDOFF


def _merged(first: tuple[str, ...], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
