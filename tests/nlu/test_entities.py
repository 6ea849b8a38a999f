"""What entity extraction promises: kinds, normalised values, and places in the text as it was sent."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise

import pytest

from nlu.text.entities import Entity, extract

NOW = date(2025, 11, 22)  # a Saturday


def found(text: str, kind: str) -> list[str | int | float]:
    return [entity.value for entity in extract(text, now=NOW) if entity.entity == kind]


class TestOrderNumbers:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("где заказ 48213", "48213"),
            ("№12345 где", "12345"),
            ("заказ 12-345 не пришёл", "12345"),
            ("По заказу № 3058871 прошу ответа", "3058871"),
            ("Речь о номере 20 771, игрушка", "20771"),
            ("48907 че по нему", "48907"),
            ("снимите 4091-228 и оформите другое", "4091228"),
            ("заказ 77-2093 в другой пункт", "772093"),
            ("оплатил вчера 471203 статус не поменялся", "471203"),
            ("gde zakaz 661204", "661204"),
            ("ult vjq pfrfp 55870", "55870"),
        ],
    )
    def test_a_number_is_read_without_signs_and_blanks(self, text: str, number: str) -> None:
        assert found(text, "order_number") == [number]

    @pytest.mark.parametrize(
        "text",
        [
            "жду 20 дней",
            "звонили 2 раза",
            "размер 46 мал",
            "в 15:30 привезут",
            "покупал в 2024 году",
            "скидка 15% не сработала",
            "корзина на 9000 рублей",
            "индекс 184355",
            "у меня 14 тысяч подписчиков",
            "набор 1000 предметов",
            "телефон 33-18-07",
            "списали 12500",
        ],
    )
    def test_other_numbers_are_no_orders(self, text: str) -> None:
        assert found(text, "order_number") == []

    def test_several_orders_are_all_found(self) -> None:
        assert found("аннулировать: 60011, 60014 и 60019", "order_number") == ["60011", "60014", "60019"]


class TestPhones:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("8 916 123 45 67", "+79161234567"),
            ("мой тел +7(916)123-45-67", "+79161234567"),
            ("9161234567 перезвоните", "+79161234567"),
            ("номер 8.926.771.40.18", "+79267714018"),
            ("звонили с 8(812)409-55-31", "+78124095531"),
            ("тел. +375 29 123-45-67", "+375291234567"),
            ("номер 495 665-03-12 ваш?", "+74956650312"),
        ],
    )
    def test_any_writing_becomes_e164(self, text: str, number: str) -> None:
        assert found(text, "phone") == [number]

    def test_an_order_beside_a_phone_stays_an_order(self) -> None:
        text = "заказ 48213, телефон 89161234567"
        assert found(text, "phone") == ["+79161234567"]
        assert found(text, "order_number") == ["48213"]

    def test_ten_digits_called_an_order_are_no_phone(self) -> None:
        assert found("заказ 9161234567 где", "phone") == []


class TestTracking:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("трек 80085193746021 не отслеживается", "80085193746021"),
            ("8008 5193 7460 21 где", "80085193746021"),
            ("RB504918277RU", "RB504918277RU"),
            ("ll 123 456 789 ru", "LL123456789RU"),
            ("трек СА123456789РУ", "CA123456789RU"),
        ],
    )
    def test_postal_numbers_are_read(self, text: str, number: str) -> None:
        assert found(text, "tracking_number") == [number]


class TestAmounts:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("списали 1 500р", 1500),
            ("верните 2к", 2000),
            ("это две тысячи рублей", 2000),
            ("полторы тысячи сняли", 1500),
            ("за 19 тысяч", 19000),
            ("стоит 540 ₽", 540),
            ("недоплатили 12 копеек", 0.12),
            ("требует три двести", 3200),
            ("две с половиной тысячи сняли", 2500),
            ("покупка была за 4 799,50", 4799.5),
            ("сняли 3 тыщи", 3000),
        ],
    )
    def test_sums_are_numbers(self, text: str, value: float) -> None:
        assert found(text, "amount") == [value]

    @pytest.mark.parametrize("text", ["тысячу раз говорила", "сто лет жду", "4 тысячи просмотров", "код 45к"])
    def test_counts_are_no_sums(self, text: str) -> None:
        assert found(text, "amount") == []


class TestDates:
    @pytest.mark.parametrize(
        ("text", "day"),
        [
            ("от 2025-11-15", "2025-11-15"),
            ("оплатил 15.11", "2025-11-15"),
            ("15 ноября заказала", "2025-11-15"),
            ("пятнадцатого ноября", "2025-11-15"),
            ("получила вчера", "2025-11-21"),
            ("ещё позавчера", "2025-11-20"),
            ("надо завтра", "2025-11-23"),
            ("обещали в пятницу, не привезли", "2025-11-21"),
            ("привезут в пятницу", "2025-11-28"),
            ("в прошлый вторник отдала", "2025-11-18"),
            ("две недели назад", "2025-11-08"),
            ("через три дня", "2025-11-25"),
            ("она на той неделе забрала", "2025-11-10"),
            ("получила 14 числа", "2025-11-14"),
            ("умерла в августе", "2025-08-01"),
            ("месяц назад", "2025-10-22"),
        ],
    )
    def test_dates_are_counted_from_now(self, text: str, day: str) -> None:
        assert found(text, "date") == [day]

    def test_now_may_be_a_moment(self) -> None:
        now = datetime.fromisoformat("2025-03-01T12:00:00+03:00")
        assert [entity.value for entity in extract("вчера", now=now)] == ["2025-02-28"]

    @pytest.mark.parametrize("text", ["две недели жду", "по пятницам", "чёрная пятница", "версия 2.1"])
    def test_durations_and_the_like_are_no_dates(self, text: str) -> None:
        assert found(text, "date") == []


class TestNames:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("получатель Иванова Мария Петровна", "Иванова Мария Петровна"),
            ("отдайте Иванову Петру Сергеевичу", "Иванов Петр Сергеевич"),
            ("меня зовут рустам", "Рустам"),
            ("искали Лидию Фёдоровну", "Лидия Федоровна"),
            ("впишите получателем Крюкова Андрея Сергеевича", "Крюков Андрей Сергеевич"),
            ("иванова мария петровна я", "Иванова Мария Петровна"),
        ],
    )
    def test_names_are_put_in_the_nominative(self, text: str, name: str) -> None:
        assert found(text, "person_name") == [name]

    @pytest.mark.parametrize(
        "text", ["вера в людей пропала", "роза завяла", "любовь зла", "на Гагарина 22", "ул. Кирова"]
    )
    def test_ordinary_words_and_streets_are_no_people(self, text: str) -> None:
        assert found(text, "person_name") == []


class TestPlaces:
    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("я в Пензе", "Пенза"),
            ("доставка в тулу", "Тула"),
            ("г. Тула", "Тула"),
            ("индекс 184355", "184355"),
            ("на Лесной 8", "Лесной 8"),
            ("Тверская область", "Тверская область"),
            ("ул. Садовая, 5", "ул. Садовая, 5"),
            ("на Мира 8 кв 14", "Мира 8 кв 14"),
            ("улица Чкалова, 12, квартира 5", "улица Чкалова, 12, квартира 5"),
            ("живу в деревне Сосновка", "Сосновка"),
        ],
    )
    def test_places_are_found(self, text: str, place: str) -> None:
        values = found(text, "place")
        assert len(values) == 1
        assert place in str(values[0])


class TestGoods:
    @pytest.mark.parametrize(
        ("text", "goods"),
        [
            ("заказывала куртку зимнюю", "куртку зимнюю"),
            ("вместо блендера", "блендера"),
            ("пришла мультиварка", "мультиварка"),
            ("не хватает одной тапки", "тапки"),
            ("набор кастрюль где", "набор кастрюль"),
            ("хочу стиральную машинку", "стиральную машинку"),
        ],
    )
    def test_goods_are_named_as_written(self, text: str, goods: str) -> None:
        assert found(text, "product") == [goods]

    @pytest.mark.parametrize(
        "text", ["мой номер телефона", "карта не работает", "он берёт трубку", "домофон сломан, звоните"]
    )
    def test_other_words_are_no_goods(self, text: str) -> None:
        assert found(text, "product") == []

    @pytest.mark.parametrize(
        ("text", "method"),
        [
            ("отправьте почтой", "post"),
            ("переделайте на почту", "post"),
            ("можно курьером", "courier"),
            ("хочу самовывоз", "pickup"),
            ("лежит в пвз", "pickup"),
        ],
    )
    def test_delivery_methods_are_told(self, text: str, method: str) -> None:
        assert found(text, "delivery_method") == [method]

    @pytest.mark.parametrize("text", ["курьер нахамил", "привязана старая почта"])
    def test_a_courier_as_a_person_is_no_method(self, text: str) -> None:
        assert found(text, "delivery_method") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "привет",
        "Где заказ 48213 от 3 ноября за 2 500 рублей, Иванова Мария, Тула, тел 89161234567, трек 80085193746021?",
        "gde zakaz 48213 obeshali k pyatnitse",
    ],
)
def test_entities_are_in_order_apart_and_as_written(text: str) -> None:
    entities: list[Entity] = extract(text, now=NOW)
    for entity in entities:
        assert text[entity.start : entity.end] == entity.text
    for left, right in pairwise(entities):
        assert left.end <= right.start


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("где мой заказ и када деньги вернут за 47890", [("order_number", "47890")]),
        ("где 48213 когда вернёте за 39112", [("order_number", "48213"), ("order_number", "39112")]),
        ("верните 3200", [("amount", 3200)]),
        ("вернули деньги за 15000", [("amount", 15000)]),
    ],
)
def test_what_money_comes_back_for_is_an_order_not_a_price(text: str, expected: list[tuple[str, object]]) -> None:
    assert [(found.entity, found.value) for found in extract(text)] == expected
