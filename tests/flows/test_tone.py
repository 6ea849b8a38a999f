"""How customers are spoken to: no bare refusal, one apology, by name once they are known (TONE-01, PHRASE-02, PHRASE-06)."""

from __future__ import annotations

import re

import pytest

import flows
from bot.expectations import plain
from tests.talk import conversation as begun

PACK = flows.load_shipped("shop")
REFUSAL = (
    r"\bнельзя\b|невозможн|не получи(тся|лось)|не удалось|не могу\b|не можем|к сожалению|\bувы\b|не высыла|закончился|нет в наличии|"
    r"срок[^.!?]{0,40}прош|не вижу|не нашлось|не нахожу|заказов нет|не отправляются|не изменить|не отменить|не помогу|не соединяем|"
    r"не вскрывают|прекратил"
)
ALTERNATIVE = (
    r"\bможно\b|можете|можем|попробуйте|напишите|опишите|пришлите|отправьте|если |откажитесь|не принимайте|верн(ите|уть)|специалист|коллег|оформ(им|ить)|"
    r"поможет|проверь|остается|запросите|есть возможность|подбер|перечислить|только почт|\?"
)
GOES_ON = {
    # said before a question that offers a way: the phrase that asks it
    "not_sent_check_data": "confirm_it",
    "not_sent_check_delivery": "confirm_it",
    "not_sent_place_new": "confirm_as_new",
    "only_by_post": "post_convenient",
    "ran_out": "another_colour",
}
TO_A_PERSON = {"earlier_overdue"}
# said while the request is handed to people: that is the way out
NO_WAY_OUT = {"cannot_place", "no_more_orders"}
# SERIAL-04, SERIAL-03: no alternative exists (ruling 29)


def refusals() -> list[str]:
    """Phrases one of whose variants refuses something."""
    return [name for name, phrase in PACK.phrases.items() if any(re.search(REFUSAL, plain(one)) for one in phrase.say)]


@pytest.mark.rule("TONE-01")
@pytest.mark.parametrize("name", sorted(set(refusals()) - NO_WAY_OUT - TO_A_PERSON))
def test_a_refusal_comes_with_another_way(name: str) -> None:
    phrase = PACK.phrases[name]
    if name in GOES_ON:
        assert len(PACK.phrases[GOES_ON[name]].buttons) >= 2
        return
    for variant in phrase.say:
        text = plain(re.sub(r"\{how_to_refuse\}", "если он не нужен, откажитесь", variant))
        beside = any(not isinstance(button, str) for button in phrase.buttons) or phrase.offer
        assert (
            re.search(ALTERNATIVE, text) or beside or (phrase.buttons and not re.search(r"нельзя|не получится", text))
        ), variant


@pytest.mark.rule("TONE-01")
def test_where_no_alternative_exists_the_refusal_is_short_and_polite() -> None:
    for name in NO_WAY_OUT:
        for text in PACK.phrases[name].say:
            assert len(text) < 160
            assert re.search(r"к сожалению|мне жаль", plain(text))


@pytest.mark.rule("PHRASE-06")
@pytest.mark.parametrize("status", [*PACK.facts["status"].values])
@pytest.mark.parametrize("topic", ["order_status", "order_cancel"])
def test_an_angry_customer_hears_one_apology_whatever_the_order_is_in(status: str, topic: str) -> None:
    order = {"status": status, "partner": "omega", "ordered_at": "2026-11-15"}
    conversation = begun({"known": True, "shop": {"orders": [order]}, "talk": []})
    heard = conversation.take({"say": "безобразие, сколько можно! заказ 48213", "as": [topic]})
    sorry = re.findall(r"извин|прости(?:те)?\b|прощени", plain(heard.text))
    assert len(sorry) == 1, heard.text
    again = conversation.take({"say": "и что даёт карта, которую вы вложили в 48213", "as": ["order_status"]})
    assert "sorry_for_trouble" not in [name for say in again.says for name in say.phrases]


@pytest.mark.rule("PHRASE-06")
def test_a_stranger_who_is_angry_hears_it_before_the_question_who_it_is() -> None:
    heard = begun({"talk": []}).take({"say": "безобразие, где заказ", "as": ["order_status"]})
    assert re.search(r"извинени|прощения", plain(heard.text))
    assert {"PHRASE-06", "ID-01"} <= set(heard.rules)
