"""Hearing: setting a turn against what the bot had asked and offered. An answer, new requests, small talk, or a miss.

What was heard and the state after it go to `decide`: slots are filled, the words of open requests grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flows.answers import (
    AFFIRM,
    DENY,
    answer,
    bare,
    by_its_words_only,
    only_an_answer,
    pressed_value,
    told,
    told_each,
    yes_or_no,
)
from flows.decision import Asking, ConversationState, Topic, Turn, Verdict
from flows.facts import View, occurs
from flows.known import Kind, Scope
from flows.lists import of_last_list, one_of, only_place, several_of, spoken
from flows.match import matches
from flows.pack import Pack, Special

SURE_OTHER = 0.6
SURE_SHORT = 0.9
SHORT = 4
A_WORD = 2


@dataclass(slots=True)
class Heard:
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


class Hearing:
    """One turn being heard; `state` is the conversation's with what was told in it."""

    def __init__(self, pack: Pack, turn: Turn, state: ConversationState) -> None:
        self.pack, self.turn, self.state = pack, turn, state

    def hear(self) -> Heard:
        """Set the turn against what was asked and offered: answers, new requests, repair."""
        turn, repair = self.turn, self.pack.manifest.repair
        if turn.stale_press:
            return Heard([], [repair.stale_press], digression=True)
        asking = self.state.asking
        if asking is not None:
            value = answer(self.pack, turn, asking.slot)
            if value is None or by_its_words_only(self.pack, turn, asking.slot, value):
                value = one_of(self.pack, turn, self.state, asking) or value
            if len(several := several_of(self.pack, turn, self.state, asking)) > 1:
                return self.about_each(asking, several)
            if self.names_another(asking, value):
                value = None
            if self.does_not_know() and by_its_words_only(self.pack, turn, asking.slot, value):
                value = None
            if value is not None and not self.interrupts(value):
                self.fill(asking, value)
                return Heard(self.besides(asking, value), [], answered=True)
            if value is None and self.fill_along(asking):
                return Heard(self.besides(asking, None), [], answered=True)
            if value is None and self.does_not_know():
                self.note(asking, {}, telling=True)
                return Heard([], [])
        if turn.press is not None:
            return self.pressed(turn.press)
        if turn.contact is not None and not turn.text:
            return Heard([], [] if self.state.open else [repair.contact], answered=bool(self.state.open))
        if not turn.text.strip():
            return Heard([], [repair.attachment if turn.attachments else repair.empty], digression=True)
        if turn.parse is None:
            return Heard([], [repair.nlu_down], digression=True)
        return self.read()

    def about_each(self, asking: Asking, values: list[object]) -> Heard:
        """The request that asked, once for each of the values."""
        self.note(asking, {asking.slot: values[0]})
        asked = self.state.open[asking.topic]
        others = [replace(asked, since=0, slots={**asked.slots, asking.slot: value}) for value in values[1:]]
        return Heard(others, [], answered=True)

    def only_a_place(self, slots: Mapping[str, object]) -> Heard | None:
        """«а второй?», with nothing that asks for anything: the last request once more, about that order."""
        parse = self.turn.parse
        text = spoken(self.turn)
        named = of_last_list(self.pack, self.state, text) if only_place(text) else []
        told_already = any(self.pack.slots[name].each for name in slots)
        sure = parse is not None and any(
            one.confidence >= SURE_SHORT and not self.is_talk(one.name) for one in parse.intents
        )
        if not named or told_already or sure or (parse is not None and parse.verdict is Verdict.AMBIGUOUS):
            return None
        again = self.corrected({**slots, **named[0]})
        if again:
            return Heard([again[0], *(replace(again[0], slots={**again[0].slots, **one}) for one in named[1:])], [])
        if len(named) == 1:
            self.keep(named[0])
        return Heard([], [self.pack.manifest.repair.ambiguous], digression=True)

    def names_another(self, asking: Asking, value: object) -> bool:
        """Tell whether a message is but the number of what a request is about («48213»): no answer to a free question."""
        if not bare(self.turn) or not by_its_words_only(self.pack, self.turn, asking.slot, value):
            return False
        return any(self.pack.slots[name].each for name in told(self.pack, self.turn))

    def does_not_know(self) -> bool:
        """Tell whether the message is a plain «не помню»: no answer, but no new request either, whatever the NLU reads."""
        text = self.turn.text
        return occurs(self.pack.answers["unsure"], text) and "?" not in text and len(text.split()) <= SHORT

    def read(self) -> Heard:
        """Follow the NLU's reading of a message that answers no question."""
        turn, repair = self.turn, self.pack.manifest.repair
        assert turn.parse is not None
        if (meant := self.meant_by_words()) is not None:
            return meant
        slots = told(self.pack, turn)
        if self.state.offered and (yes := yes_or_no(self.pack, turn)) is not None and self.only_plain_answer():
            offered = self.state.offered
            self.state = replace(self.state, offered=None)
            if yes:
                return self.pressed(offered)
        if self.state.choosing and yes_or_no(self.pack, turn) is False and self.only_plain_answer():
            return Heard([], [repair.not_understood], missed=True)
        if self.state.asking is None and (place := self.only_a_place(slots)) is not None:
            return place
        if bare(turn) and (again := self.corrected(slots)):
            return Heard(again, [], digression=True)
        if bare(turn) and slots and self.only_plain_answer():
            self.keep(slots)
            return Heard([], [repair.ambiguous], digression=True)
        if self.state.asking is None and self.does_not_know():
            return Heard([], [repair.not_understood], missed=True)
        plain = yes_or_no(self.pack, turn) is not None and self.only_plain_answer()
        if plain and self.state.asking is not None and not self.takes_any_back():  # no answer to what was asked
            self.note(self.state.asking, {}, telling=True)
            return Heard([], [])
        if turn.parse.verdict is Verdict.SURE and turn.parse.intents and not self.misread_answer():
            requests, talk = self.requests(), self.talk()
            if requests or talk:
                asked = self.state.asking is not None and not requests and not talk
                beside = [self.pack.flows[flow].beside for flow in talk] if requests else []
                return Heard(
                    requests,
                    [] if requests else talk,
                    digression=not asked,
                    beside=tuple(flow for flow in beside if flow),
                )
        if slots and (again := self.corrected(slots)):
            return Heard(again, [], digression=True)
        if self.state.asking is not None:
            self.note(self.state.asking, {}, telling=True)
            return Heard([], [])  # no answer to the question: it is asked once more, then a person
        if turn.parse.verdict is Verdict.AMBIGUOUS:
            self.keep(slots)
            if self.state.choosing:  # the choice offered last was passed over
                return Heard([], [repair.not_understood], missed=True)
            return Heard([], [repair.ambiguous], digression=True)
        return Heard([], [repair.not_understood], missed=True)

    def meant_by_words(self) -> Heard | None:
        """The flow whose `hears` the message fits: «перезвоните мне», «белый» where nothing was asked."""
        view = View(self.pack, self.turn, self.state, Topic(intent="", words=self.turn.text))
        for name, flow in self.pack.flows.items():
            if flow.hears is None or not matches(flow.hears, view.get):
                continue
            if flow.dialogue:
                return Heard([], [name], digression=True)
            self.keep(told(self.pack, self.turn))
            return Heard([self.topic(flow.intents[0], self.turn.text, told(self.pack, self.turn))], [])
        return None

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
            if not any(self.pack.slots[name].each for name in first) and (
                named := of_last_list(self.pack, self.state, texts[number])
            ):
                first, others = {**first, **named[0]}, [{**first, **one} for one in named[1:]]
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

    def pressed(self, press: str) -> Heard:
        """Do what a button means."""
        kind, _, value = press.partition(":")
        if kind == "intent" and (flow := self.pack.flow_for(value)):
            if self.pack.flows[flow].dialogue:
                return Heard([], [flow], digression=True)
            words = self.state.words[-1] if self.state.words else ""
            return Heard([self.topic(value, words, {})], [], digression=True)
        if kind == "flow" and value in self.pack.flows:
            return Heard([], [value], digression=True, missed=value == self.pack.manifest.repair.not_understood)
        if press in ("yes", "no") and (flow := self.pack.flow_for("affirm" if press == "yes" else "deny")):
            return Heard([], [flow], digression=True)
        if kind == "slot" and (again := self.corrected(self.slot_press(value))):
            return Heard(again, [], digression=True)
        return Heard([], [self.pack.manifest.repair.stale_press], digression=True)

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
        slot = self.pack.slots[asking.slot]
        found = told(self.pack, self.turn) if slot.free else {}  # «завтра вечером» is a time to call, and a day
        beside = {
            name: one
            for name, one in found.items()
            if name in slot.along and self.pack.slots[name].scope is Scope.TOPIC
        }
        self.note(asking, {**beside, asking.slot: value} if slot.scope is Scope.TOPIC else beside)

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
        if "?" in self.turn.text and parse.intents[0].confidence >= SURE_SHORT and self.is_talk(parse.intents[0].name):
            return True  # «а вы робот?»
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

    def is_talk(self, intent: str) -> bool:
        """Tell whether an intent is a remark on the conversation itself, no request about the shop."""
        flow = self.pack.flow_for(intent)
        return bool(flow and self.pack.flows[flow].dialogue)

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
