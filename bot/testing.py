"""A conversation in memory: what a worker does with a turn, without NLU, database or messenger.

Talks are taken by it, and what `firstline explain` and `firstline replay` ask. The shop's systems answer from a shop file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

import flows
from bot.clients.crm_demo import DemoCrm
from bot.clients.shop import Shop
from bot.clients.shop_file import loads
from bot.errors import CrmActionUnknown, CrmUnavailable
from bot.talks import Stage, Usual, moment, parse_of, shop_text, stage, talk_folder

MAX_ROUNDS = 60
C = TypeVar("C", bound="Conversation")
SOLVED = flows.OpenRequest(number="T-1000", state="closed", queue="general")
"""The request that a talk's customer is asked about, when the talk does not say how it came about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came out of a turn, as the customer and the desk see it."""

    says: tuple[flows.Say, ...] = ()
    # what the customer is shown, the system's notice included
    handoff: flows.Handoff | None = None
    cases: tuple[flows.Handoff, ...] = ()
    acts: tuple[str, ...] = ()
    state: flows.ConversationState = field(default_factory=flows.ConversationState)
    append: str | None = None
    cancelled: bool = False
    understood: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(say.text for say in self.says)

    @property
    def buttons(self) -> list[str]:
        return [button.title for say in self.says for button in say.buttons]


class Conversation:
    """A conversation in memory: what a worker keeps between turns."""

    def __init__(
        self,
        pack: flows.Pack,
        shop: Shop,
        *,
        now: datetime,
        usual: Usual | None = None,
        channel: str = "telegram",
        chat: str = "c1",
        slots: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> None:
        """`slots`: what it knows already. `seed` chooses the variants of phrases; by default the number of the turn."""
        self.now = now
        self.pack = pack.with_settings(shop.settings)
        self.crm = DemoCrm(shop, now=lambda: self.now)
        self.cannot: frozenset[str] = frozenset()
        # changes that this CRM does not make
        self.usual, self.channel, self.chat, self.seed = usual or Usual(), channel, chat, seed
        self.down: set[str] = set(shop.down)
        self.state = flows.ConversationState(slots=dict(slots or {}))
        self.request: flows.OpenRequest | None = None
        self.shown: list[flows.Say] = []
        self.number = 1000
        self.turns = 0
        self.asked: str | None = None
        # what was asked about a solved request, if nothing else was said since: mark, words
        self.decided: tuple[flows.Turn, flows.Decision] | None = None
        # the last turn, with all that was asked for, and what was decided

    def take(self, step: Mapping[str, Any]) -> Heard:
        """Take one turn and give what came of it."""
        self.decided = None
        if "down" in step:
            self.down = set(step["down"] or ())
        if "clock" in step:
            self.now = moment(step["clock"], self.now)
        if "request" in step:
            self.request = self.set_request(step["request"])
        if not {"say", "press", "contact", "attachment"} & set(step):
            return Heard(state=self.state)
        if "asked" in step:
            self.ask(str(step["asked"]))
        turn = self.turn(step)
        if self.asked is not None and (heard := self.remarked(turn)) is not None:
            self.shown += heard.says
            return heard
        self.asked = None
        decision, acts = self.decide(turn)
        heard = self.store(turn, decision, acts)
        self.turns += 1
        self.shown += heard.says
        return heard

    def set_request(self, data: Mapping[str, Any] | None) -> flows.OpenRequest | None:
        """What people did with the request meanwhile: another state, gone (null), or one from before the talk."""
        if data is None:
            return None
        before = self.request or flows.OpenRequest(number="T-1000", state="queued", queue="general", place=1)
        return replace(before, **data)

    def ask(self, asked: str) -> None:
        """The customer was asked for a mark for a solved request, or has given one and was asked for a few words."""
        marks = self.pack.manifest.marks
        if marks is None or asked not in ("mark", "words"):
            raise flows.ContentError(f"a talk cannot ask for {asked!r} here: mark or words, where the pack has marks")
        self.asked = asked
        turn = flows.Turn(now=self.now, state=self.state)
        self.shown.append(flows.notice(self.pack, marks.ask if asked == "mark" else marks.thanks, SOLVED, turn))

    def remarked(self, turn: flows.Turn) -> Heard | None:
        """What comes of a turn that answers the question for a mark or for words; None when it does not."""
        marks, found = self.pack.manifest.marks, None
        if turn.press is not None and turn.press.startswith(flows.MARK):
            what = turn.press.split(":")[1]
            found = (
                flows.Remark(mark=int(what)) if what.isdecimal() else flows.Remark(declined=True, back=what == "back")
            )
        elif turn.press is None:
            found = flows.remark(self.pack, turn, for_words=self.asked == "words")
        if marks is None or found is None:
            return None
        told, self.asked = replace(SOLVED, mark=found.mark), None
        if found.back:
            phrase = self.pack.manifest.notices.reopened
        elif found.comment:
            phrase = marks.commented
        elif found.mark is not None:
            phrase, self.asked = marks.sorry if found.mark <= marks.low else marks.thanks, "words"
        else:
            phrase = marks.skipped
        said = flows.notice(self.pack, phrase, told, turn)
        return Heard(says=(said,), state=self.state, rules=said.rules)

    def turn(self, step: Mapping[str, Any]) -> flows.Turn:
        text = str(step.get("say", ""))
        press, stale = None, False
        if "press" in step:
            found = [button for say in reversed(self.shown) for button in say.buttons if button.title == step["press"]]
            press, stale = (found[0].value, False) if found else (None, True)
        attachment = step.get("attachment")
        attachments = (flows.Attachment(attachment["kind"], attachment.get("name")),) if attachment else ()
        return flows.Turn(
            now=self.now, seed=self.turns if self.seed is None else self.seed, channel=self.channel, chat=self.chat, text=text,
            parse=self.parse(step) if text.strip() and "nlu" not in self.down else None,
            press=press, stale_press=stale, contact=step.get("contact"), attachments=attachments,
            edited=bool(step.get("edited")), state=self.state, request=self.request,
            down=frozenset(self.down & {"nlu", "store"}),
        )  # fmt: skip

    def parse(self, step: Mapping[str, Any]) -> flows.Parse:
        """How the words of a turn are read: `parse` where it was read already, else as the talk says."""
        read = step.get("parse")
        return read if isinstance(read, flows.Parse) else parse_of(step, self.usual)

    def decide(self, turn: flows.Turn) -> tuple[flows.Decision, tuple[str, ...]]:
        """The loop of a turn: look up what the decision asks for, do what it wants done, decide again."""
        acts: list[str] = []
        for _ in range(MAX_ROUNDS):
            decision = flows.decide(self.pack, turn)
            if not decision.lookups and not decision.acts:
                self.decided = (turn, decision)
                return decision, tuple(acts)
            for lookup in decision.lookups:
                try:
                    turn = turn.with_facts({lookup: self.fetch(lookup)})
                except CrmUnavailable as down:
                    turn = turn.with_down(down.system)
            for act in decision.acts:
                acts.append(act.action)
                turn = turn.with_change(act, self.act(act))
        raise flows.ContentError(f"the pack asks without end: {decision.lookups or decision.acts}")

    def act(self, act: flows.Act) -> Mapping[str, Any]:
        self.crm.set_down(self.down)
        if act.action in self.cannot:
            return {"ok": False, "unsupported": True}
        try:
            return asyncio.run(self.crm.act(act, key=act.key))
        except CrmUnavailable:
            return {"ok": False, "unavailable": True}
        except CrmActionUnknown:
            return {"ok": False, "unsupported": True}

    def fetch(self, lookup: flows.Lookup) -> Any:
        self.crm.set_down(self.down - ({"crm"} if lookup.source == "requests" else set()))
        return asyncio.run(self.crm.fetch(lookup))

    def store(self, turn: flows.Turn, decision: flows.Decision, acts: tuple[str, ...]) -> Heard:
        """Keep the state (through JSON, as the store does) and open the request of a handoff."""
        self.state = flows.state_from_json(flows.to_json(decision.state))
        says = list(decision.messages)
        notices = self.pack.manifest.notices
        if decision.cancel_request and self.request is not None:
            gone = replace(self.request, state="cancelled", place=None)
            says.append(flows.notice(self.pack, notices.cancelled, gone, turn))
            self.request = None
        if decision.handoff is not None:
            says.append(self.open(turn, decision.handoff))
        rules = [*decision.rules, *(rule for say in says for rule in say.rules)]
        for handed in [*([decision.handoff] if decision.handoff else []), *decision.cases]:
            rules += handed.rules
        return Heard(
            says=tuple(says), handoff=decision.handoff, cases=decision.cases, acts=acts, state=self.state,
            append=decision.append, cancelled=decision.cancel_request, understood=decision.understood,
            rules=tuple(dict.fromkeys(rules)),
        )  # fmt: skip

    def open(self, turn: flows.Turn, handoff: flows.Handoff) -> flows.Say:
        notices = self.pack.manifest.notices
        if "store" in self.down:
            return flows.notice(
                self.pack, notices.store_down, flows.OpenRequest(number="T-0", state="lost", queue=handoff.queue), turn
            )
        self.number += 1
        self.request = flows.OpenRequest(
            number=f"T-{self.number}", state="queued", queue=handoff.queue, place=1, is_case=handoff.category is not None,
            due=handoff.due.isoformat() if handoff.due else None,
        )  # fmt: skip
        usual = notices.queued_case if handoff.category else notices.queued
        return flows.notice(self.pack, handoff.notice or usual, self.request, turn)


def of_talk(talk: Mapping[str, Any], on: Stage | None = None) -> Conversation:
    """The conversation that a talk begins: its shop, its clock, what is known already."""
    return begin(Conversation, talk, on or stage(talk_folder(talk)))


def begin(kind: type[C], talk: Mapping[str, Any], on: Stage) -> C:
    """The conversation of a kind that a talk begins."""
    shop, now = talk.get("shop") or {}, moment(talk.get("now"), on.usual.now)
    loaded = loads(shop_text(shop, on.usual), name="shop", now=now, pack=on.pack)
    slots = {**(on.usual.known if talk.get("known") else {}), **(talk.get("slots") or {})}
    channel = str(talk.get("channel", "telegram"))
    conversation = kind(on.pack, loaded, now=now, usual=on.usual, channel=channel, slots=slots)
    conversation.cannot = frozenset(talk.get("cannot") or ())
    return conversation
