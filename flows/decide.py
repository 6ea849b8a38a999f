"""decide(pack, turn): which requests the customer has, what is said to each, and who takes over.

The context is kept: another matter in the middle is answered and the open question asked again (BOT-04).

The core asks, it does not fetch: a decision that holds lookups or acts is a question to the caller, who answers it with
`turn.with_facts(…)` and decides again. Everything that can go wrong in a talk (not understood, two readings, a system that
does not answer, an answer that is none) leads to a flow of the pack, named in its `repair`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from flows.decision import (
    Button,
    Decision,
    OpenRequest,
    Say,
    Topic,
    Turn,
    Verdict,
)  # fmt: skip
from flows.errors import ContentError
from flows.facts import Needed, SystemDown, View
from flows.hearing import Heard, Hearing
from flows.pack import Pack
from flows.phrases import phrase, render
from flows.remarks import MARK
from flows.steps import ActNeeded, Part, Run, Signal, Wanted
from flows.summary import hand_over
from flows.trace import Trace

KEPT_TOPICS = 6
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
    buttons = tuple(Button(spec.title, _of_request(spec.value, request)) for spec in specs)
    return Say(text=text, buttons=buttons, rules=spoken.rule, phrases=(name,))


def _of_request(value: str, request: OpenRequest) -> str:
    """A button's value; one that marks a request names it, for another may be open when it is pressed."""
    return f"{value}:{request.number}" if value.startswith(MARK) else value


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
        hearing = Hearing(self.pack, self.turn, self.state)
        heard = hearing.hear()
        self.state = hearing.state
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
            self.pack, self.turn, self.state, names, answered=heard.digression or heard.answered, trace=self.trace,
            requests=1 + len(topics),
        )  # fmt: skip
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

    def beside(self, heard: Heard) -> tuple[str, ...]:
        """Flows that go before the first answer: a greeting, what was received with the words (CX-14)."""
        with_words = bool(self.turn.attachments and self.turn.text.strip())
        received = self.pack.flows[self.pack.manifest.repair.attachment].beside if with_words else None
        return (*heard.beside, *([received] if received else []))

    def misses(self, heard: Heard) -> int:
        """Misses in a row: not understood, or a choice of readings that was rejected (CX-09)."""
        if heard.missed:
            return self.state.misses + 1
        understood = self.turn.parse is not None and self.turn.parse.verdict is Verdict.SURE
        return 0 if heard.topics or heard.answered or understood else self.state.misses

    def strays(self, heard: Heard) -> int:
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

    def flow(self, intent: str) -> str:
        flow = self.pack.flow_for(intent)
        if flow is None:
            raise ContentError(f"no flow serves the intent {intent!r}")
        return flow

    # ------------------------------------------------------------------------------------------------ finishing
    def finish(
        self, run: Run, heard: Heard, parts: list[Part], still_open: tuple[Topic, ...], done: tuple[Topic, ...]
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
        if self.only_mended(run, told):
            messages, texts = (), ()
        elif messages and not handoff and same:
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

    def only_mended(self, run: Run, told: tuple[str, ...]) -> bool:
        """Tell whether the customer edited a message and nothing of what was answered or asked changes by it (CX-19)."""
        last = self.turn.state
        if not self.turn.edited or run.handoffs or run.cases:
            return False
        if told:
            return set(told) <= set(last.last_said)
        return run.asking is not None and last.asking is not None and run.asking.slot == last.asking.slot

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
