"""Conversations of tests: those of `bot.testing`, watched for what no customer may read (`tests.wording`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import yaml

import flows
from bot import testing
from bot.expectations import always, plain
from bot.talks import shop_text, stage, talk_folder
from bot.testing import Heard, begin
from flows.facts import Needed, SystemDown, View
from tests import wording

NOW = stage(talk_folder({})).usual.now


class Watched(testing.Conversation):
    """A conversation that knows what the customer wrote and whether they have proved to be the person of a card."""

    shop: Mapping[str, Any] = {}
    # the shop file's data
    said = ""
    identified = False

    def take(self, step: Mapping[str, Any]) -> Heard:
        self.identified = self.identified or bool(self.state.slots.get("name_confirmed"))
        self.said += f"{step.get('say') or ''} {step.get('press') or ''} {step.get('contact') or ''}\n"
        heard = super().take(step)
        if self.decided is not None:
            turn, decision = self.decided
            with suppress(Needed, SystemDown):  # nothing was looked up: as before
                self.identified = bool(View(self.pack, turn, decision.state).get("identified"))
        return heard

    def facts(self, step: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[Any]]:
        """What the pack knows of these names after a turn: the value in each of its requests."""
        self.decide(self.turn(step))
        assert self.decided is not None
        turn, decision = self.decided
        views = [View(self.pack, turn, decision.state, one) for one in (*decision.state.open, *decision.state.done)]
        return {name: [view.quiet(name) for view in views] for name in names}


def conversation(talk: Mapping[str, Any]) -> Watched:
    """The watched conversation that a talk begins."""
    on = stage(talk_folder(talk))
    made = begin(Watched, talk, on)
    made.shop = yaml.safe_load(shop_text(talk.get("shop") or {}, on.usual))
    return made


def hold_always(one: testing.Conversation, step: Mapping[str, Any], heard: Heard) -> list[str]:
    """What is wrong with a turn whatever is expected of it."""
    return always(one, step, heard) + (wrong_words(one, heard) if isinstance(one, Watched) else [])


def wrong_words(one: Watched, heard: Heard) -> list[str]:
    """What the replies of a turn say though they must not."""
    wrong = []
    for say in heard.says:
        titles = [button.title for button in say.buttons]
        wrong += [
            f"the button {title!r} twice: {say.text!r}" for title in dict.fromkeys(titles) if titles.count(title) > 1
        ]
        if not say.rules:
            wrong.append(f"no rule says why: {say.text!r}")
        for text in (say.text, *(button.title for button in say.buttons)):
            wrong += [f"{found} in {text!r}" for found in wording.in_any_text(text, one.pack.manifest.never_say)]
        wrong += [f"{found} in {say.text!r}" for found in wording.in_a_reply(say.text, say.rules)]
        if "PHRASE-06" in say.rules and len(re.findall(r"извин|прости(?:те)?\b|прощени", plain(say.text))) > 1:
            wrong.append(f"more than one apology: {say.text!r}")
        if {"ORDER-08", "ORDER-09"} & set(say.rules):
            prices = wording.single_prices(one.shop, say.text)
            wrong += [f"the price of a single line, {price}: {say.text!r}" for price in prices]
        if not one.identified:
            wrong += [f"{found!r} shown to a stranger: {say.text!r}" for found in strangers_see(one, say)]
    return wrong


def strangers_see(one: Watched, say: flows.Say) -> list[str]:
    """What a reply shows of the shop's customers and orders to somebody who is not identified (CX-20, ID-05)."""
    shown = wording.personal(one.shop, say.text, one.said)
    if "is_it_you" not in say.phrases:  # the one phrase that may show a first name with patronymic (ID-01)
        shown += [name for name in wording.names_of_people(one.shop) if plain(name) in plain(say.text)]
    if plain(str(one.pack.manifest.settings["return_postcode"])) in plain(say.text):
        shown.append("the return address")  # RETURN-01
    return shown
