"""What must never be said: in no phrase, no button and no reply of any talk (globals.never_say and never_say of the rules).

Every turn of every talk of tests/dialogues is held against the same patterns by `tests.talk.hold_always`; here are the
phrases themselves, in all variants, and the proof that the patterns bite.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

import flows
from bot.testing import Heard
from flows.check import every_step
from flows.pack import Collect, SayStep
from tests import wording
from tests.talk import conversation, hold_always

PACK = flows.load_shipped("shop")
NEVER = PACK.manifest.never_say
STATUSES = [
    "Заказ в статусе «Буфер»", "Заказ аннулирован", "Аннулирован ФФ", "Сейчас ручная сверка", "Заказ экспортирован", "Это Happy-Call",
    "Отказ Happy-Call", "Идёт проверка СВ", "Проверка супервайзером", "У вас обрыв связи", "Статус «Отложен»", "Запрос на аннуляцию",
    "Закрытый регион", "Почтовый возврат", "Это клиентский возврат", "Выгружен партнёру", "Нет ШПИ", "Заказ на магистрали",
    "Статус заказа: Проверен", "status: exported", "manual_check", "Передано в ОПП", "Вы возвратник", "отметка НЕ КОНТАКТИРОВАТЬ",
]  # fmt: skip
PROMISES = [
    "Ваш возврат уже получен", "Возврат к нам поступил", "Деньги уже отправлены", "Деньги в пути", "Мы перевели вам деньги",
    "По техническим причинам заказ не ушёл",
]  # fmt: skip
STYLE = [
    "Вопрос понял(а)", "Рад помочь", "Готова помочь", "Я проверила ваш заказ", "По данному заказу", "В соответствии с правилами",
    "Ответим в кратчайшие сроки", "Не согласен",
]  # fmt: skip

SHOP: dict[str, Any] = {
    "orders": [{"status": "exported", "items": [{"name": "Плед", "price": 900}, {"name": "Утюг", "price": 1990}]}]
}


def filled(text: str) -> str:
    """A phrase's text with something in each of its places."""
    return re.sub(r"\[\[|\]\]", "", re.sub(r"\{[^{}]*\}", "7", text))


def rules_of_phrases() -> dict[str, set[str]]:
    """The rules behind each phrase: its own, and those of the steps, rows and flows that say it."""
    found: dict[str, set[str]] = {name: set(phrase.rule) for name, phrase in PACK.phrases.items()}
    for place, step in every_step(PACK):
        names = step.say if isinstance(step, SayStep) else (step.ask,) if isinstance(step, Collect) else ()
        kind, _, rest = place.partition(":")
        table, _, number = rest.partition(".")
        row = PACK.tables[table].rows[int(number.split(".")[0]) - 1].rule if kind == "table" else ()
        for name in names:
            found[name] |= {*step.rule, *row}
    return found


@pytest.mark.parametrize("name", sorted(PACK.phrases))
def test_no_variant_of_a_phrase_says_what_must_never_be_said(name: str) -> None:
    rules = sorted(rules_of_phrases()[name])
    for variant in PACK.phrases[name].say:
        assert not wording.in_any_text(filled(variant), NEVER)
        assert not wording.in_a_reply(filled(variant), rules)


def test_no_button_says_it_either() -> None:
    wrong = {title: wording.in_any_text(filled(title), NEVER) for _, title in wording.every_text(PACK)}
    assert not {title: found for title, found in wrong.items() if found}


@pytest.mark.parametrize("text", [*STATUSES, *PROMISES, *STYLE])
def test_the_patterns_know_it_when_they_see_it(text: str) -> None:
    assert wording.in_any_text(text, NEVER)


@pytest.mark.parametrize(
    "text", ["Заказ подтверждён и уйдёт за 5–7 дней", "Корзина пуста", "Проверим заказ", "Спасибо, передано."]
)
def test_they_leave_plain_words_alone(text: str) -> None:
    assert not wording.in_any_text(text, NEVER)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("PARTNER-01", "Заказ партнёра уже отправлен"),
        ("PARTNER-02", "Ваш заказ у них в пути"),
        ("SERIAL-03", "Можно оформить на другое имя"),
        ("SERIAL-04", "На вашей карточке стоит отметка"),
        ("RETURN-15", "Недостающую часть дошлём"),
        ("RETURN-20", "Вернётся половина"),
        ("REFUND-03", "Обращение создано"),
        ("REFUND-06", "Вернём 1 490 ₽"),
        ("REFUND-09", "Ответим за 3 дня"),
        ("STATUS-07", "Ждите 12 декабря"),
        ("STATUS-10", "Похоже, заказ задублирован"),
        ("STATUS-22", "Регион откроется весной"),
        ("STATUS-28", "Давайте оформим заново"),
        ("STATUS-31", "Скорее всего, он на складе"),
        ("CHANGE-38", "Адрес изменён"),
        ("FAQ-03", "Купон даёт скидку 500 ₽"),
        ("PHONE-08", "Попробуйте 8 800 100-00-00"),
        ("CX-17", "Счёт закрыт за нарушение"),
    ],
)
def test_a_rule_forbids_what_others_may_say(rule: str, text: str) -> None:
    assert wording.in_a_reply(text, [rule])


class TestATalkIsHeldAgainstIt:
    def wrong(
        self, text: str, *, rules: tuple[str, ...] = ("CX-01",), identified: bool = True, said: str = "где заказ"
    ) -> list[str]:
        """What is found wrong with a reply."""
        watched = conversation({"shop": SHOP, "talk": []})
        watched.said, watched.identified = said, identified
        return hold_always(watched, {"say": said}, Heard(says=(flows.Say(text=text, rules=rules),)))

    @pytest.mark.rule("CX-20", "ID-05")
    @pytest.mark.parametrize(
        "text",
        [
            "Иванова, добрый день",
            "Мария Петровна, добрый день",
            "Заказ 48213 в пути",
            "Это Плед и Утюг?",
            "Город Тула?",
            "145913",
        ],
    )
    def test_a_stranger_is_shown_nothing_of_a_card(self, text: str) -> None:
        assert self.wrong(text, identified=False)
        assert not self.wrong(text, identified=True)

    def test_what_the_customer_wrote_may_be_repeated(self) -> None:
        assert not self.wrong("Заказ 48213 поищем", identified=False, said="где заказ 48213")

    @pytest.mark.rule("ORDER-09")
    def test_an_order_is_summed_up_by_its_total_alone(self) -> None:
        assert self.wrong("Плед 900 ₽, утюг 1 990 ₽", rules=("ORDER-09",))
        assert self.wrong("Итого 3 190 ₽, из них доставка 300 ₽", rules=("ORDER-09",))
        assert not self.wrong("Итого 3 190 ₽", rules=("ORDER-09",))

    def test_status_names_are_found(self) -> None:
        assert self.wrong("Ваш заказ аннулирован")
