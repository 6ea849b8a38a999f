"""What is known in a turn, by name: slots, facts from the shop's systems, facts derived from them, the turn itself.

A `View` answers `get(name)` for one topic. It computes when asked and remembers; a value that needs an outside system that
was not asked yet raises `Needed`, which `decide` turns into a decision with lookups. Names that need no declaration:

    topic, topics                          the request's intent; all intents of the turn
    previous_topic, topic_changed          the intent of the last request that was answered; whether this one is another
    turn.first .channel .length .edited .attachment .pressed .asked .now .text
    turn.only .only_value                  the kind and value of the one entity that the message is, and nothing else
    request.open .number .state .queue .place .wait .due .agent .case .mark     the open request with people
    queue_open.<queue>                     whether it works now
    misses, strays                         in a row
    readings                               the likely requests in a message: [{name, title, value}], best first
    handing_to                             the queue, while the pack's `after` flow runs ahead of a handoff
    told.<slot>                            the value that the words of this very request gave the slot
    deed.<action>                          what the CRM last did about the order in this conversation: its answer
    setting.<name>                         of pack.yml (a bare setting's name works in phrases)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from flows.decision import ConversationState, Entity, Lookup, Topic, Turn, Unavailable
from flows.hours import is_open
from flows.known import Fact, Mention, Source, When, Words
from flows.match import matches
from flows.pack import Pack
from flows.russian import as_date, how_named, nothing_new, plain, same_name, same_place

MAX_READINGS = 3
LIKELY = 0.08
"""Confidence from which a reading is worth a button; what is below would be a guess beside the point."""


class Needed(Exception):
    """A lookup whose answer is not among the turn's facts yet."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__(lookup)
        self.lookup = lookup


class SystemDown(Exception):
    """A system that is needed does not answer."""

    def __init__(self, system: str) -> None:
        super().__init__(system)
        self.system = system


class View:
    """Slots and facts as one topic of one turn sees them."""

    def __init__(
        self, pack: Pack, turn: Turn, state: ConversationState, topic: Topic | None = None, topics: Sequence[str] = ()
    ) -> None:
        self.pack, self.turn, self.state, self.topic, self.topics = pack, turn, state, topic, tuple(topics)
        self.tz = pack.zone
        self.today = turn.now.astimezone(self.tz).date()
        self.used: dict[str, Any] = {}
        # what was asked for and what it was: the facts behind a decision
        self._computing: list[str] = []
        self.handing_to: str | None = None

    def get(self, name: str) -> Any:
        """Return the value of a slot, a fact or one of the turn's own names; None when it is not known.

        Raises Needed when an outside system has to be asked first, SystemDown when it does not answer.
        """
        if name not in self.used:
            if name in self._computing:
                raise RecursionError(f"fact {name!r} is derived from itself: {' → '.join([*self._computing, name])}")
            self._computing.append(name)
            try:
                self.used[name] = self._compute(name)
            finally:
                self._computing.pop()
        return self.used[name]

    def quiet(self, name: str) -> Any:
        """Like `get`, but a system that does not answer leaves the value unknown."""
        try:
            return self.get(name)
        except SystemDown:
            return None

    def words(self, within: str = "topic") -> str:
        """The customer's words: of this turn, of the request, or of the whole conversation."""
        if within == "all":
            return " \n".join([*self.state.words, self.turn.text])
        if within == "topic" and self.topic is not None:
            return self.topic.words
        return self.turn.text

    # ------------------------------------------------------------------------------------------ where values come from
    def _compute(self, name: str) -> Any:
        if name in self.pack.slots:
            return self._slot(name)
        if name in self.pack.facts:
            fact = self.pack.facts[name]
            try:
                value = self._fact(fact)
            except SystemDown:
                if not fact.optional:
                    raise
                value = None
            return fact.default if value is None else value
        if name in self.pack.sources:
            return self._source(self.pack.sources[name])
        if name in self.pack.manifest.settings:
            return self.pack.manifest.settings[name]
        return self._own(name)

    def _slot(self, name: str) -> Any:
        if self.topic is not None and name in self.topic.slots:
            return self.topic.slots[name]
        if name in self.state.slots:
            return self.state.slots[name]
        words = self.pack.slots[name].words
        return read_words(words, self.words(words.within)) if words else None

    def _own(self, name: str) -> Any:
        turn, request = self.turn, self.turn.request
        if name.startswith("setting."):
            return self.pack.manifest.settings.get(name.removeprefix("setting."))
        if name.startswith("told."):
            return self.topic.slots.get(name.removeprefix("told.")) if self.topic else None
        if name.startswith("deed."):
            return self._deed(name.removeprefix("deed."))
        if name.startswith("queue_open."):
            return is_open(self.pack, name.removeprefix("queue_open."), turn.now)
        own: dict[str, Callable[[], Any]] = {
            "topic": lambda: self.topic.intent if self.topic else None,
            "topics": lambda: self.topics,
            "previous_topic": lambda: self.state.done[-1].intent if self.state.done else None,
            "topic_changed": lambda: bool(
                self.state.done and self.topic and self.state.done[-1].intent != self.topic.intent
            ),
            "misses": lambda: self.state.misses,
            "strays": lambda: self.state.strays,
            "down": lambda: sorted(turn.down),
            "readings": self._readings,
            "handing_to": lambda: self.handing_to,
            "turn.choosing": lambda: self.state.choosing,
            "turn.first": lambda: self.state.turns == 0,
            "turn.channel": lambda: turn.channel,
            "turn.chat": lambda: turn.chat,
            "turn.account": lambda: f"{turn.channel}:{turn.chat}",
            "turn.length": lambda: len(turn.text),
            "turn.text": lambda: turn.text,
            "turn.edited": lambda: turn.edited,
            "turn.pressed": lambda: turn.press is not None,
            "turn.contact": lambda: turn.contact,
            "turn.attachment": lambda: turn.attachments[0].kind if turn.attachments else None,
            "turn.asked": lambda: self.state.asking.slot if self.state.asking else None,
            "turn.only": lambda: only.entity if (only := only_entity(turn)) else None,
            "turn.only_value": lambda: only.value if (only := only_entity(turn)) else None,
            "turn.now": lambda: turn.now,
            "turn.today": lambda: self.today.isoformat(),
            "turn.hour": lambda: turn.now.astimezone(self.tz).hour,
            "request.open": lambda: request is not None,
            "request.number": lambda: request.number if request else None,
            "request.state": lambda: request.state if request else None,
            "request.queue": lambda: request.queue if request else None,
            "request.place": lambda: request.place if request else None,
            "request.wait": lambda: request.wait_minutes if request else None,
            "request.due": lambda: request.due if request else None,
            "request.agent": lambda: request.agent if request else None,
            "request.call": lambda: request.call if request else None,
            "request.into": lambda: request.into if request else None,
            "request.elsewhere": lambda: request.elsewhere if request else None,
            "request.case": lambda: request.is_case if request else None,
            "request.mark": lambda: request.mark if request else None,
        }
        if name in own:
            return own[name]()
        if "." in name:
            return self._path(name)
        return None

    def _deed(self, path: str) -> Any:
        """The answer of the last deed of an action on the order in view, or a key of it; None when there was none."""
        action, _, key = path.partition(".")
        about = str(self._path(f"{self.pack.manifest.order_fact}.number"))
        done = [
            deed["result"]
            for deed in self.state.deeds.values()
            if deed["action"] == action and about in deed["args"].values() and deed["result"].get("ok")
        ]
        return (done[-1].get(key) if key else done[-1]) if done else None

    def _readings(self) -> list[dict[str, str]]:
        """The best readings of a message that are requests, as members for buttons (CX-09)."""
        best = sorted(self.turn.parse.ranking if self.turn.parse else (), key=lambda reading: -reading.confidence)
        found = []
        for reading in best:
            if reading.confidence < LIKELY:
                break
            flow, intent = self.pack.flow_for(reading.name), self.pack.intents.get(reading.name)
            if flow and intent and intent.title and not self.pack.flows[flow].dialogue:
                found.append({"name": reading.name, "title": intent.title, "value": f"intent:{reading.name}"})
        return found[:MAX_READINGS]

    def _source(self, source: Source) -> Any:
        args = []
        for argument, name in source.args.items():
            value = self.get(name)
            if value is None:
                return None
            args.append((argument, str(value)))
        lookup = Lookup(source.lookup, tuple(args))
        answer = self.turn.facts.get(lookup, self)
        if answer is not self and not isinstance(answer, Unavailable):
            return answer
        if source.of in self.turn.down or isinstance(answer, Unavailable):
            if source.optional:
                return None
            raise SystemDown(source.of)
        raise Needed(lookup)

    def _path(self, path: str) -> Any:
        root, *rest = path.split(".")
        value = self.get(root)
        for key in rest:
            if isinstance(value, list | tuple) and key.isdigit():
                value = value[int(key)] if int(key) < len(value) else None
            else:
                value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def _fact(self, fact: Fact) -> Any:
        if fact.path is not None:
            return self._path(fact.path) if fact.path.split(".")[0] not in ("turn", "request") else self.get(fact.path)
        if fact.cases is not None:
            case = next((case for case in fact.cases if matches(case.when, self.get)), None)
            return None if case is None else self.get(case.take) if case.take else case.value
        if fact.when is not None:
            return matches(fact.when, self.get)
        if fact.known is not None:
            return all(self.get(name) is not None for name in fact.known)
        if fact.sum_of is not None:
            numbers = [self.get(name) for name in fact.sum_of]
            return None if None in numbers else sum(numbers)
        if fact.words is not None:
            return read_words(fact.words, self.words(fact.words.within))
        if fact.captured is not None:
            found = re.findall(fact.captured.pattern, self.words(fact.captured.within), re.IGNORECASE)
            return found[-1].strip(" ,.") if found else None
        if fact.mentioned is not None:
            return self._mentioned(fact.mentioned)
        if fact.entry is not None:
            key = self.get(fact.entry.key)
            return self.pack.manifest.directories.get(fact.entry.table, {}).get(str(key), {}).get(fact.entry.field)
        if fact.recent is not None:
            since = self.turn.now - timedelta(hours=fact.recent.hours)
            times = self.state.counters.get(fact.recent.counter, ())
            return sum(datetime.fromisoformat(time) > since for time in times)
        for pair, alike in (
            (fact.same_name, same_name),
            (fact.same_place, same_place),
            (fact.nothing_new, nothing_new),
        ):
            if pair is not None:
                said, known = self.get(pair.said), self.get(pair.known)
                return None if said is None or known is None else alike(str(said), str(known))
        if fact.hours_since is not None:
            return self._hours_since(fact.hours_since)
        return self._date_fact(fact) if fact.days_since or fact.plus_days or fact.month_of else self._list_fact(fact)

    def _mentioned(self, mention: Mention) -> list[Any] | None:
        members = self.get(mention.of)
        if members is None:
            return None
        text = self.words(mention.within)
        path = mention.field.split(".")
        named = [(how_named(_texts(one, path) if isinstance(one, Mapping) else str(one), text), one) for one in members]
        best = max((count for count, _ in named), default=0)
        return [member for count, member in named if best and count == best]

    def _hours_since(self, name: str) -> float | None:
        """Hours from a moment (ISO 8601) to now; None when it is not known."""
        moment = self.get(name)
        return None if moment is None else (self.turn.now - datetime.fromisoformat(str(moment))).total_seconds() / 3600

    def _date_fact(self, fact: Fact) -> Any:
        if fact.plus_days is not None:
            start, days = as_date(self.get(fact.plus_days[0]), self.tz), fact.plus_days[1]
            number = days if isinstance(days, int) else self.get(days)
            return None if start is None or number is None else (start + timedelta(days=int(number))).isoformat()
        name = fact.days_since or fact.month_of
        assert name is not None
        date = as_date(self.get(name), self.tz)
        if date is None:
            return None
        if fact.days_since:
            return (self.today - date).days
        return "current" if (date.year, date.month) == (self.today.year, self.today.month) else "previous"

    def _list_fact(self, fact: Fact) -> Any:
        query = fact.count or fact.leading or fact.pick or fact.last or fact.those or fact.every
        assert query is not None
        members = self.get(query.of)
        if members is None:
            return None
        members = [member for member in members if self._fits(query.among, member)]
        fits = [self._fits(query.where, member) for member in members]
        if fact.count:
            return sum(fits)
        if fact.leading:
            return next((number for number, fit in enumerate(fits) if not fit), len(fits))
        if fact.every:
            return bool(fits) and all(fits)
        chosen = [member for member, fit in zip(members, fits, strict=True) if fit]
        if fact.those:
            return chosen
        if fact.last:
            return chosen[-1] if chosen else None
        return chosen[0] if len(chosen) == 1 else None

    def _fits(self, conditions: When, member: Any) -> bool:
        def field(name: str) -> Any:
            value = member
            for key in name.split(".") if name != "it" else ():
                value = value.get(key) if isinstance(value, Mapping) else None
            return value

        return matches(self._filled(conditions), field)

    def _filled(self, condition: Any) -> Any:
        """Put values in place of `$name` in a condition."""
        if isinstance(condition, str) and condition.startswith("$"):
            return self.get(condition[1:])
        if isinstance(condition, list | tuple):
            return [self._filled(one) for one in condition]
        if isinstance(condition, Mapping):
            return {key: self._filled(one) for key, one in condition.items()}
        return condition


def only_entity(turn: Turn) -> Entity | None:
    """The entity that a message consists of: a name, a phone, an order number and not a word besides."""
    entities = turn.parse.entities if turn.parse else ()
    if len(entities) != 1:
        return None
    return None if re.search(r"\w", turn.text.replace(entities[0].text, " ")) else entities[0]


def _texts(value: Any, path: list[str]) -> str:
    """The texts that a path leads to, lists on the way walked; of an object at its end the name."""
    if isinstance(value, list | tuple):
        return " ".join(_texts(one, path) for one in value)
    if isinstance(value, Mapping):
        return _texts(value.get(path[0]), path[1:]) if path else str(value.get("name") or "")
    return str(value) if value is not None and not path else ""


@lru_cache(maxsize=4096)
def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?<!\\w)(?:{plain(pattern)})" for pattern in patterns))


def read_words(words: Words, text: str) -> Any:
    """Return the value of the first entry one of whose patterns occurs in the text, or None."""
    haystack = plain(text)
    return next((value for value, patterns in words.patterns.items() if _pattern(patterns).search(haystack)), None)


def occurs(patterns: tuple[str, ...], text: str) -> bool:
    """Tell whether one of the patterns occurs in the text, at a word's beginning."""
    return bool(_pattern(patterns).search(plain(text)))
