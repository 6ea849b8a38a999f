"""decide(pack, turn): which requests the customer has, what is said to each, and who takes over.

The context is kept: another matter in the middle is answered and the open question asked again (BOT-04).

The core asks, it does not fetch: a decision that holds lookups or acts is a question to the caller, who answers it with
`turn.with_facts(…)` and decides again. Everything that can go wrong in a talk (not understood, two readings, a system that
does not answer, an answer that is none) leads to a flow of the pack, named in its `repair`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from flows.answers import (
    AFFIRM,
    DENY,
    answer,
    bare,
    by_its_words_only,
    only_an_answer,
    place_said,
    pressed_value,
    told,
    told_each,
    yes_or_no,
)
from flows.decision import (
    Asking,
    Button,
    Decision,
    OpenRequest,
    Say,
    Topic,
    Turn,
    Verdict,
)  # fmt: skip
from flows.errors import ContentError
from flows.facts import Needed, SystemDown, View, occurs
from flows.pack import Kind, Pack, Scope, Special
from flows.phrases import fill, phrase, render
from flows.steps import ActNeeded, Part, Run, Signal, Wanted
from flows.summary import hand_over
from flows.trace import Trace

KEPT_TOPICS = 6
SURE_OTHER = 0.6
SURE_SHORT = 0.9
SHORT = 4
A_WORD = 2
SHORT_ANSWER = 3
AGAIN = timedelta(hours=1)
TOLD_ENOUGH = 2
KEPT_WORDS = 30


def decide(pack: Pack, turn: Turn, trace: Trace | None = None) -> Decision:
    """Decide what to do about a turn. Pure: the same pack, turn and facts give the same decision.

    `trace` gathers what is looked at on the way (`flows.explain`); it changes nothing. Raises ContentError when the pack
    contradicts itself; `check` finds such places beforehand.
    """
    try:
        return _Decider(pack, turn, trace).decide()
    except Needed as needed:
        return Decision(lookups=(needed.lookup,), state=turn.state)
    except ActNeeded as needed:
        return Decision(acts=(needed.act,), state=turn.state)


def notice(pack: Pack, name: str, request: OpenRequest, turn: Turn, *, but: str | None = None) -> Say:
    """Render a phrase of the request's states (queued, assigned, solved …) for a request that is stored.

    `but`: the text that the customer read last, not to be said again where the phrase has another variant (CX-06).
    """
    view = View(pack, replace(turn, request=request), turn.state)
    text, variant = render(pack, name, view, turn.seed)
    if text == but:
        text, _ = render(pack, name, view, turn.seed, variant)
    spoken = phrase(pack, name)
    specs = [pack.buttons[one] if isinstance(one, str) else one for one in spoken.buttons]
    cancel = pack.buttons[pack.manifest.cancel] if pack.manifest.cancel else None
    if cancel and request.state == "queued" and cancel.value not in {spec.value for spec in specs}:
        specs.append(cancel)
    buttons = tuple(Button(spec.title, spec.value) for spec in specs)
    return Say(text=text, buttons=buttons, rules=spoken.rule, phrases=(name,))


@dataclass(slots=True)
class _Heard:
    """What the customer wants in this turn, after the message was set against what the bot had asked."""

    topics: list[Topic]
    # new requests, in order
    dialogue: list[str]
    # small talk and repair: flows to run
    digression: bool = False
    answered: bool = False
    missed: bool = False
    beside: tuple[str, ...] = ()
    # flows whose words go into one message with the first answer


class _Decider:
    def __init__(self, pack: Pack, turn: Turn, trace: Trace | None = None) -> None:
        self.pack, self.turn, self.trace = pack, turn, trace
        state = turn.state
        words = tuple([*state.words, turn.text.strip()] if turn.text.strip() else state.words)[-KEPT_WORDS:]
        self.state = replace(state, words=words, attachments=(*state.attachments, *turn.attachments)[-20:])
        if turn.contact and "contact" in pack.slots:
            self.state = self.state.with_slot("contact", turn.contact)

    # ------------------------------------------------------------------------------------------------- the whole turn
    def decide(self) -> Decision:
        heard = self.hear()
        if self.trace is not None:
            self.trace.heard = asdict(heard)
        asked = self.state.asking or self.turn.state.asking
        if heard.answered and not heard.topics and asked and self.pack.slots[asked.slot].private:
            self.state = replace(self.state, words=self.turn.state.words)  # a name or a phone is not what is wanted
        self.state = replace(self.state, misses=self.misses(heard), strays=self.strays(heard))
        open_topics = list(self.state.open)
        asked = self.state.asking
        first = asked.topic if asked else None
        order = [*range(len(open_topics))]
        if heard.topics and not heard.answered:
            order = []
        topics = [*open_topics, *(replace(topic, since=topic.since or self.state.turns + 1) for topic in heard.topics)]
        new = [*range(len(open_topics), len(topics))]
        waiting = [number for number in range(len(open_topics)) if number not in order]
        order = sorted(order, key=lambda number: number != first) + new + waiting
        names = tuple(dict.fromkeys([*(topics[number].intent for number in new), *heard.dialogue]))
        run = Run(
            self.pack, self.turn, self.state, names, answered=heard.digression or heard.answered, trace=self.trace
        )
        run.state = replace(run.state, open=())
        parts: list[Part] = []
        besides = [self.serve(run, flow, Topic(intent=flow, words=self.turn.text))[2] for flow in self.beside(heard)]
        for flow in heard.dialogue:
            talk = self.pack.flows[flow].intents[0] if self.pack.flows[flow].intents else flow
            _, _, part = self.serve(run, flow, Topic(intent=talk, words=self.turn.text))
            parts.append(part)
        still_open: list[Topic] = []
        done: list[Topic] = []
        if "forget" in run.specials:
            order = [number for number in order if number in new]
        for number in order:
            if "forget" in run.specials and number not in new:
                done.append(topics[number])
                continue
            topic, signal, part = self.serve(
                run, self.flow(topics[number].intent), topics[number], len(still_open), asked=number == first
            )
            parts.append(part)
            if "forget" in run.specials and still_open:
                done += still_open
                still_open.clear()
                run.asking = None
            if signal is Signal.WAIT:
                still_open.append(topic)
            else:
                done.append(topic)
        return self.finish(run, heard, _joined(besides, parts), tuple(still_open), tuple(done))

    def beside(self, heard: _Heard) -> tuple[str, ...]:
        """Flows that go before the first answer: a greeting, what was received with the words (CX-14)."""
        with_words = bool(self.turn.attachments and self.turn.text.strip())
        received = self.pack.flows[self.pack.manifest.repair.attachment].beside if with_words else None
        return (*heard.beside, *([received] if received else []))

    def misses(self, heard: _Heard) -> int:
        """Misses in a row: not understood, or a choice of readings that was rejected (CX-09)."""
        if heard.missed:
            return self.state.misses + 1
        understood = self.turn.parse is not None and self.turn.parse.verdict is Verdict.SURE
        return 0 if heard.topics or heard.answered or understood else self.state.misses

    def strays(self, heard: _Heard) -> int:
        """Turns in a row with nothing but small talk that leads nowhere."""
        stray = bool(heard.dialogue) and all(self.pack.flows[flow].stray for flow in heard.dialogue)
        return self.state.strays + 1 if stray and not heard.topics and not heard.answered else 0

    def serve(
        self, run: Run, flow: str, topic: Topic, number: int = -1, *, asked: bool = False
    ) -> tuple[Topic, Signal, Part]:
        """Serve one request; a system that does not answer leads to the pack's flow for that."""
        mark = (len(run.handoffs), len(run.cases), run.asking, run.state, set(run.said))
        try:
            return run.serve(flow, topic, number, asked=asked)
        except SystemDown as down:
            del run.handoffs[mark[0] :], run.cases[mark[1] :]
            run.asking, run.state, run.said = mark[2], replace(mark[3], deeds=run.state.deeds), mark[4]
            run.turn = run.turn.with_down(down.system)
            self.turn = run.turn
            if self.trace is not None:
                self.trace.down.append(down.system)
            return run.serve(self.pack.manifest.repair.crm_down, topic, number, asked=asked)

    # ------------------------------------------------------------------------------------------------ hearing
    def hear(self) -> _Heard:
        """Set the turn against what was asked and offered: answers, new requests, repair."""
        turn, repair = self.turn, self.pack.manifest.repair
        if turn.stale_press:
            return _Heard([], [repair.stale_press], digression=True)
        asking = self.state.asking
        if asking is not None:
            value = answer(self.pack, turn, asking.slot)
            if value is None or by_its_words_only(self.pack, turn, asking.slot, value):
                value = self.by_place(asking) or value
            if self.names_another(asking, value):
                value = None
            if self.does_not_know() and by_its_words_only(self.pack, turn, asking.slot, value):
                value = None
            if value is not None and not self.interrupts(value):
                self.fill(asking, value)
                return _Heard(self.besides(asking, value), [], answered=True)
            if value is None and self.fill_along(asking):
                return _Heard(self.besides(asking, None), [], answered=True)
            if value is None and self.does_not_know():
                self.note(asking, {}, telling=True)
                return _Heard([], [])
        if turn.press is not None:
            return self.pressed(turn.press)
        if turn.contact is not None and not turn.text:
            return _Heard([], [] if self.state.open else [repair.contact], answered=bool(self.state.open))
        if not turn.text.strip():
            return _Heard([], [repair.attachment if turn.attachments else repair.empty], digression=True)
        if turn.parse is None:
            return _Heard([], [repair.nlu_down], digression=True)
        return self.read()

    def by_place(self, asking: Asking) -> object:
        """The member of the list offered with the question that the customer names by its place («второй», «2»)."""
        spoken, place = phrase(self.pack, asking.phrase), place_said(self.pack, self.turn)
        if place is None or spoken.each is None or spoken.each_value is None:
            return None
        view = View(self.pack, self.turn, self.state)
        members = view.quiet(spoken.each) or ()
        value = fill(spoken.each_value, view, members[place]) if place < len(members) else None
        kind, _, press = (value or "").partition(":")
        return press.partition("=")[2] if kind == "slot" and press.startswith(f"{asking.slot}=") else None

    def names_another(self, asking: Asking, value: object) -> bool:
        """Tell whether a message is but the number of what a request is about («48213»): no answer to a free question."""
        if not bare(self.turn) or not by_its_words_only(self.pack, self.turn, asking.slot, value):
            return False
        return any(self.pack.slots[name].each for name in told(self.pack, self.turn))

    def does_not_know(self) -> bool:
        """Tell whether the message is a plain «не помню»: no answer, but no new request either, whatever the NLU reads."""
        text = self.turn.text
        return occurs(self.pack.answers["unsure"], text) and "?" not in text and len(text.split()) <= SHORT

    def read(self) -> _Heard:
        """Follow the NLU's reading of a message that answers no question."""
        turn, repair = self.turn, self.pack.manifest.repair
        assert turn.parse is not None
        slots = told(self.pack, turn)
        if self.state.offered and (yes := yes_or_no(self.pack, turn)) is not None and self.only_plain_answer():
            offered = self.state.offered
            self.state = replace(self.state, offered=None)
            if yes:
                return self.pressed(offered)
        if self.state.choosing and yes_or_no(self.pack, turn) is False and self.only_plain_answer():
            return _Heard([], [repair.not_understood], missed=True)
        if bare(turn) and (again := self.corrected(slots)):
            return _Heard(again, [], digression=True)
        if bare(turn) and slots and self.only_plain_answer():
            self.keep(slots)
            return _Heard([], [repair.ambiguous], digression=True)
        if self.state.asking is None and self.does_not_know():
            return _Heard([], [repair.not_understood], missed=True)
        plain = yes_or_no(self.pack, turn) is not None and self.only_plain_answer()
        if plain and self.state.asking is not None and not self.takes_any_back():  # no answer to what was asked
            self.note(self.state.asking, {}, telling=True)
            return _Heard([], [])
        if turn.parse.verdict is Verdict.SURE and turn.parse.intents and not self.misread_answer():
            requests, talk = self.requests(), self.talk()
            if requests or talk:
                asked = self.state.asking is not None and not requests and not talk
                beside = [self.pack.flows[flow].beside for flow in talk] if requests else []
                return _Heard(
                    requests,
                    [] if requests else talk,
                    digression=not asked,
                    beside=tuple(flow for flow in beside if flow),
                )
        if slots and (again := self.corrected(slots)):
            return _Heard(again, [], digression=True)
        if self.state.asking is not None:
            self.note(self.state.asking, {}, telling=True)
            return _Heard([], [])  # no answer to the question: it is asked once more, then a person
        if turn.parse.verdict is Verdict.AMBIGUOUS:
            self.keep(slots)
            if self.state.choosing:  # the choice offered last was passed over
                return _Heard([], [repair.not_understood], missed=True)
            return _Heard([], [repair.ambiguous], digression=True)
        return _Heard([], [repair.not_understood], missed=True)

    def takes_any_back(self) -> bool:
        parse = self.turn.parse
        return parse is not None and any(self.takes_back(reading.name) for reading in parse.intents)

    def misread_answer(self) -> bool:
        """Tell whether a yes or no was read that the words hardly bear: data alone, or a faint reading («а третий»)."""
        parse = self.turn.parse
        if parse is None or len(parse.intents) != 1 or parse.intents[0].name not in (AFFIRM, DENY):
            return False
        return bare(self.turn) or parse.intents[0].confidence < SURE_OTHER

    def requests(self) -> list[Topic]:
        """The turn's requests as topics (CX-05), each with its own words and the slots its entities fill."""
        parse = self.turn.parse
        assert parse is not None
        texts = [self.words_of(reading.start, reading.end, len(parse.intents)) for reading in parse.intents]
        found: list[Topic] = []
        for number, reading in enumerate(parse.intents):
            flow = self.pack.flow_for(reading.name)
            if flow is None or self.pack.flows[flow].dialogue:
                continue
            request = number if len(parse.intents) > 1 else None
            first, *others = told_each(self.pack, self.turn, request)
            first = {**self.told_later(number), **first}
            found.append(self.topic(reading.name, texts[number], first))
            found += [Topic(intent=reading.name, words=texts[number], slots=slots) for slots in others]
        self.keep(told(self.pack, self.turn))
        return found

    def told_later(self, number: int) -> dict[str, object]:
        """What only a later request of the turn names is not known in this one ("где заказ и когда вернёте за 39112")."""
        assert self.turn.parse is not None
        later = (told(self.pack, self.turn, after) for after in range(number + 1, len(self.turn.parse.intents)))
        return {name: None for slots in later for name in slots if self.pack.slots[name].each}

    def topic(self, intent: str, words: str, slots: dict[str, object]) -> Topic:
        """A request: a new one, or the open one of the same intent with the new words and values."""
        same = next((topic for topic in self.state.open if topic.intent == intent), None)
        if same is None:
            return Topic(intent=intent, words=words, slots=slots)
        number = self.state.open.index(same)
        asking = self.state.asking
        rest = tuple(topic for topic in self.state.open if topic is not same)
        if asking is not None and asking.topic == number:
            asking = replace(asking, topic=len(rest))
        self.state = replace(self.state, open=rest, asking=asking)
        changed = any(same.slots.get(name, value) != value for name, value in slots.items())
        merged = {**same.slots, **slots}
        return replace(same, words=f"{same.words}\n{words}", slots=merged, said=() if changed else same.said)

    def talk(self) -> list[str]:
        """Flows for the small talk of a turn, once each."""
        parse = self.turn.parse
        assert parse is not None
        flows = (self.pack.flow_for(reading.name) for reading in parse.intents)
        return list(dict.fromkeys(flow for flow in flows if flow and self.pack.flows[flow].dialogue))

    def pressed(self, press: str) -> _Heard:
        """Do what a button means."""
        kind, _, value = press.partition(":")
        if kind == "intent" and (flow := self.pack.flow_for(value)):
            if self.pack.flows[flow].dialogue:
                return _Heard([], [flow], digression=True)
            words = self.state.words[-1] if self.state.words else ""
            return _Heard([self.topic(value, words, {})], [], digression=True)
        if kind == "flow" and value in self.pack.flows:
            return _Heard([], [value], digression=True, missed=value == self.pack.manifest.repair.not_understood)
        if press in ("yes", "no") and (flow := self.pack.flow_for("affirm" if press == "yes" else "deny")):
            return _Heard([], [flow], digression=True)
        if kind == "slot" and (again := self.corrected(self.slot_press(value))):
            return _Heard(again, [], digression=True)
        return _Heard([], [self.pack.manifest.repair.stale_press], digression=True)

    def slot_press(self, press: str) -> dict[str, object]:
        name, _, value = press.partition("=")
        if name not in self.pack.slots:
            return {}
        last = next(iter([*reversed(self.state.open), *reversed(self.state.done)]), None)
        answered = last is not None and not last.handoff and name in last.slots  # an earlier answer, taken back
        return {name: pressed_value(self.pack, name, value)} if answered or self.pack.slots[name].anywhere else {}

    def corrected(self, slots: dict[str, object]) -> list[Topic]:
        """The last request once more with a value put right ("нет, 48214", "а по второму 39112?")."""
        last = next((topic for topic in reversed([*self.state.done, *self.state.open]) if topic.intent), None)
        slots = {name: value for name, value in slots.items() if not self.pack.slots[name].aside}
        if not slots or last is None or last.changed:
            return []
        flow = self.pack.flow_for(last.intent)
        if flow is None or self.pack.flows[flow].dialogue:
            return []
        before = {**self.state.slots, **last.slots}
        self.keep(slots)
        self.state = replace(self.state, open=tuple(topic for topic in self.state.open if topic is not last))
        if self.state.asking is not None and len(self.state.open) <= self.state.asking.topic:
            self.state = replace(self.state, asking=None)
        another = any(self.pack.slots[name].each and value != before.get(name) for name, value in slots.items())
        kept = (
            {} if another and last in self.state.done else last.slots
        )  # answers about one order are none about another
        return [Topic(intent=last.intent, words=f"{last.words}\n{self.turn.text}", slots={**kept, **slots})]

    def fill(self, asking: Asking, value: object) -> None:
        """Put the answer into its slot: the conversation's, or the request's that asked."""
        if not by_its_words_only(self.pack, self.turn, asking.slot, value):  # a number in an address is no order's
            self.keep(told(self.pack, self.turn, along=self.pack.slots[asking.slot].along))
        if self.pack.slots[asking.slot].scope is Scope.CONVERSATION:
            open_topics = tuple(
                replace(topic, slots={name: kept for name, kept in topic.slots.items() if name != asking.slot})
                for topic in self.state.open
            )
            self.state = replace(self.state.with_slot(asking.slot, value), open=open_topics)
        self.note(asking, {asking.slot: value} if self.pack.slots[asking.slot].scope is Scope.TOPIC else {})

    def fill_along(self, asking: Asking) -> bool:
        """Take what answers the question in another way: the phone where the name was asked for. Tell whether it did."""
        along = self.pack.slots[asking.slot].along
        found = {name: value for name, value in told(self.pack, self.turn, along=along).items() if name in along}
        self.keep(found)
        named = {name: value for name, value in found.items() if self.pack.slots[name].scope is Scope.TOPIC}
        self.note(asking, named, telling=any(not self.pack.slots[name].private for name in found))
        return bool(found)

    def note(self, asking: Asking, slots: Mapping[str, object], *, telling: bool = False) -> None:
        """Add values read in the turn to the request that asked, and its words unless they are a name, a phone or a yes."""
        if asking.topic < len(self.state.open):
            topics = list(self.state.open)
            topic = topics[asking.topic]
            telling = telling or not self.pack.slots[asking.slot].private
            words = f"{topic.words}\n{self.turn.text}" if telling and self.turn.text else topic.words
            topics[asking.topic] = replace(topic, slots={**topic.slots, **slots}, words=words)
            self.state = replace(self.state, open=tuple(topics))

    def interrupts(self, value: object) -> bool:
        """Tell whether a message that could be an answer is rather a request of its own (a person, another matter)."""
        parse, asking = self.turn.parse, self.state.asking
        if parse is None or asking is None or self.turn.press is not None or parse.verdict is not Verdict.SURE:
            return False
        words_only = by_its_words_only(self.pack, self.turn, asking.slot, value)
        longer = self.pack.slots[asking.slot].type is Kind.BOOL and len(self.turn.text.split()) >= SHORT
        if (words_only or longer) and any(
            one.confidence >= SURE_OTHER and self.takes_back(one.name) for one in parse.intents
        ):
            return True
        if not words_only:
            return False
        asked = self.state.open[asking.topic].intent if asking.topic < len(self.state.open) else ""
        others = [one for one in parse.intents if self.is_other(one.name, asked) and one.confidence >= SURE_OTHER]
        if len(self.turn.text.split()) <= A_WORD and "?" not in self.turn.text:  # «красный» hardly asks for anything
            others = [one for one in others if one.confidence >= SURE_SHORT or self.is_urgent(one.name)]
        if self.is_urgent(asked):  # an urgent request is being taken down: it ends with a person whatever is answered
            others = []
        if self.pack.slots[asking.slot].story and "?" not in self.turn.text:
            others = [one for one in others if self.is_urgent(one.name)]
        return bool(others)

    def is_urgent(self, intent: str) -> bool:
        """Tell whether an intent is heard even in the middle of an answer."""
        flow = self.pack.flow_for(intent) if intent else None
        return bool(flow and self.pack.flows[flow].urgent)

    def takes_back(self, intent: str) -> bool:
        """Tell whether an intent drops what is open («всё, нашёл, не надо»): no answer, however much it looks like a no."""
        flow = self.pack.flow_for(intent)
        steps = self.pack.flows[flow].steps if flow and self.pack.flows[flow].dialogue else ()
        return any(isinstance(step, Special) and step.do == "forget" for step in steps)

    def besides(self, asking: Asking, value: object) -> list[Topic]:
        """Requests that a message makes besides answering the question."""
        parse = self.turn.parse
        if parse is None or parse.verdict is not Verdict.SURE or only_an_answer(self.turn, value):
            return []
        alone = self.pack.slots[asking.slot].entity is None and len(parse.intents) == 1 and "?" not in self.turn.text
        if alone and not self.is_urgent(parse.intents[0].name):
            return []  # «да я ещё не отправляла»: the answer itself, whatever it sounds like
        asked = self.state.open[asking.topic].intent if asking.topic < len(self.state.open) else ""
        plain_data = value is None or not by_its_words_only(self.pack, self.turn, asking.slot, value)
        aside = plain_data and self.pack.slots[asking.slot].entity is not None  # a name and a request: both are meant
        wanted = [reading for reading in parse.intents if self.is_other(reading.name, asked, same_group=aside)]
        return (
            [topic for topic in self.requests() if topic.intent in {reading.name for reading in wanted}]
            if wanted
            else []
        )

    def is_other(self, intent: str, asked: str, *, same_group: bool = False) -> bool:
        """Tell whether an intent is a request of another kind than the one that is being served.

        With `same_group` a neighbour in the same group counts too; else it is rather a misreading of the answer.
        """
        flow = self.pack.flow_for(intent)
        if flow is None or self.pack.flows[flow].dialogue or intent == asked:
            return False
        group = self.pack.intents[asked].group if asked in self.pack.intents else ""
        question = occurs(self.pack.answers.get("question", ("\\?",)), self.turn.text)
        return same_group or question or self.pack.intents[intent].group != group or group == "service"

    def only_plain_answer(self) -> bool:
        parse = self.turn.parse
        return parse is None or all(
            (flow := self.pack.flow_for(reading.name)) is None or self.pack.flows[flow].dialogue
            for reading in parse.intents
        )

    def keep(self, slots: dict[str, object]) -> None:
        """Remember for the conversation what was told unasked."""
        for name, value in slots.items():
            if self.pack.slots[name].scope is Scope.CONVERSATION:
                self.state = self.state.with_slot(name, value)

    def words_of(self, start: int | None, end: int | None, requests: int) -> str:
        parse = self.turn.parse
        assert parse is not None
        text = parse.mended or self.turn.text
        if requests < 2 or start is None or end is None:
            return text
        return (self.turn.text[start:end] or text).strip()

    def flow(self, intent: str) -> str:
        flow = self.pack.flow_for(intent)
        if flow is None:
            raise ContentError(f"no flow serves the intent {intent!r}")
        return flow

    # ------------------------------------------------------------------------------------------------ finishing
    def finish(
        self, run: Run, heard: _Heard, parts: list[Part], still_open: tuple[Topic, ...], done: tuple[Topic, ...]
    ) -> Decision:
        turn = run.turn
        state = replace(
            run.state,
            open=still_open,
            done=(*run.state.done, *done)[-KEPT_TOPICS:],
            asking=run.asking if run.asking is not None and run.asking.topic < len(still_open) else None,
            offered=run.offered,
            turns=run.state.turns + 1,
            choosing=self.pack.manifest.repair.ambiguous in heard.dialogue,
        )
        handoff, append = None, None
        topics = (*still_open, *done)
        if run.handoffs and turn.request is not None:
            append = "; ".join(dict.fromkeys(wanted.why for wanted in run.handoffs))
            _, _, part = run.serve(self.pack.manifest.repair.waiting, Topic(intent="", words=turn.text))
            parts.append(part)
            state = replace(state, used=run.state.used)
        elif run.handoffs:
            handoff = hand_over(self.pack, turn, state, self.chosen(run.handoffs), run.handoffs, topics, run.trace)
        cases = tuple(hand_over(self.pack, turn, state, wanted, [wanted], topics, run.trace) for wanted in run.cases)
        messages = _messages(parts)
        texts = tuple(message.text for message in messages)
        told = _told(run, (*still_open, *done))
        same = texts == state.last_texts or (not run.asking and not run.cases and self.told_lately(told))
        if messages and not handoff and same:
            _, _, part = run.serve(self.pack.manifest.repair.same_again, Topic(intent="", words=turn.text))
            parts = [part, *(replace(one, paragraphs=[], apart=[]) for one in parts if one.question)]
            messages = _messages(parts)
            state = replace(state, used=run.state.used, counters=run.state.counters)
            if run.handoffs:
                handoff = hand_over(self.pack, turn, state, self.chosen(run.handoffs), run.handoffs, topics, run.trace)
            texts = tuple(message.text for message in messages)
        state = replace(state, last_texts=texts or state.last_texts)
        if told:
            again = state.last_said_at if set(told) <= set(state.last_said) else ()
            state = replace(
                state, last_said=state.last_said if again else told, last_said_at=(*again, turn.now.isoformat())[-9:]
            )
        if handoff is not None:
            state = replace(state, answered=(), promised=(), attachments=(), words=(), misses=0)
        rules = tuple(dict.fromkeys(rule for part in parts for rule in part.rules))
        return Decision(
            messages=messages, handoff=handoff, cases=cases, append=append, state=state,
            cancel_request="cancel_request" in run.specials,
            understood=tuple(dict.fromkeys([topic.intent for topic in heard.topics] + heard.dialogue)), rules=rules,
            unsure=heard.missed or (turn.parse is not None and turn.parse.verdict is not Verdict.SURE),
        )  # fmt: skip

    def told_lately(self, told: tuple[str, ...]) -> bool:
        """Tell whether a short answer would say in other words what was told twice already (CX-06)."""
        last, turn = self.turn.state, self.turn
        if not told or len(told) > SHORT_ANSWER or turn.edited or not set(told) <= set(last.last_said):
            return False
        return sum(datetime.fromisoformat(at) > turn.now - AGAIN for at in last.last_said_at) >= TOLD_ENOUGH

    def chosen(self, wanted: Sequence[Wanted]) -> Wanted:
        """Of several handoffs, the one to the queue that stands first in the pack's order; the others are noted in it."""
        order = {queue: place for place, queue in enumerate(self.pack.manifest.queue_priority)}
        return min(wanted, key=lambda one: order.get(one.queue, len(order)))


def _told(run: Run, topics: Sequence[Topic]) -> tuple[str, ...]:
    """What the answers of a turn tell, whatever their wording, with the values they rest on; () when there is none."""
    if not run.told:
        return ()
    values = {**run.state.slots, **(topics[-1].slots if topics else {})}
    known = sorted(f"{name}={value}" for name, value in values.items() if value is not None and value is not True)
    return (*sorted(run.told), "|".join(known))


def _joined(besides: Sequence[Part], parts: list[Part]) -> list[Part]:
    """Put what is said beside the answers at the beginning of the first of them."""
    lead = " ".join(paragraph for part in besides for paragraph in part.paragraphs)
    first = next((part for part in parts if part.paragraphs or part.question), None)
    if not lead or first is None:
        return [*besides, *parts]
    if first.paragraphs:
        first.paragraphs[0] = f"{lead} {first.paragraphs[0]}"
    else:
        first.paragraphs.append(lead)
    for part in besides:
        first.rules += [rule for rule in part.rules if rule not in first.rules]
        first.phrases += part.phrases
    return parts


def _messages(parts: Iterable[Part]) -> tuple[Say, ...]:
    """Make messages: one a request, what is to be copied apart, the question last."""
    made: list[Say] = []
    question: Say | None = None
    kept = [part for part in parts if part.paragraphs or part.apart or part.question]
    for part in kept:
        rules, phrases, buttons = tuple(part.rules), tuple(part.phrases), tuple(part.buttons)
        asks_here = part.question is not None and part is kept[-1] and not part.apart
        text = "\n\n".join([*part.paragraphs, *([part.question] if asks_here and part.question else [])])
        if text:
            last = not part.apart and (asks_here or part.question is None)
            made.append(
                Say(
                    text=text,
                    rules=rules,
                    phrases=phrases,
                    buttons=buttons if last else (),
                    ask_contact=part.ask_contact and last,
                )
            )
        for number, copy in enumerate(part.apart, start=1):
            last = number == len(part.apart) and part.question is None
            made.append(Say(text=copy, rules=rules, phrases=phrases, buttons=buttons if last else ()))
        if part.question is not None and not asks_here:
            question = Say(
                text=part.question, rules=rules, phrases=phrases, buttons=buttons, ask_contact=part.ask_contact
            )
    return tuple([*made, question] if question else made)
