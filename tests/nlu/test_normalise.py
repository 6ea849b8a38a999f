"""What the normaliser promises: Russian is brought back, everything else stays, and positions are kept."""

from __future__ import annotations

import time

import pytest

from nlu.text.normalise import normalise


class TestLayout:
    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("ult vjq pfrfp 48213", "где мой заказ 48213"),
            ("Ghbdtn? rjulf ghbltn gjcskrf?", "Привет? когда придет посылка?"),
            ("ghbdtn, rfr ltkf", "привет, как дела"),
            ("cgfcb,j ,jkmijt", "спасибо большое"),
            ("b yt hf,jnftn", "и не работает"),
            ("ULT VJQ PFRFP", "где мой заказ"),
        ],
    )
    def test_russian_typed_on_latin_keys_is_read(self, written: str, meant: str) -> None:
        assert normalise(written).text == meant

    def test_a_word_on_latin_keys_in_a_russian_message_is_read(self) -> None:
        assert normalise("ghbdtn, где мой заказ").text == "привет, где мой заказ"

    def test_english_typed_on_russian_keys_is_read(self) -> None:
        assert normalise("руддщ").text == "hello"


class TestTransliteration:
    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("gde moi zakaz 48213", "где мой заказ 48213"),
            ("kogda priedet posylka, ya zhdu", "когда приедет посылка, я жду"),
            ("otmenite zakaz 12345 pojaluysta", "отмените заказ 12345 пожалуйста"),
            ("4to s zakazom", "что с заказом"),
            ("vernite dengi", "верните деньги"),
            ("Mne nuzhen operator", "Мне нужен оператор"),
            ("xochu vernut tovar", "хочу вернуть товар"),
            ("kak otkluchit podpisku", "как отключить подписку"),
            ("Skidka 10% ne primenilas", "Скидка 10% не применилась"),
        ],
    )
    def test_schemes_are_undone(self, written: str, meant: str) -> None:
        assert normalise(written).text == meant

    @pytest.mark.parametrize(
        "text",
        [
            "where is my order 12345?",
            "Hello, I want my money back",
            "wo ist meine Bestellung",
            "siparişim nerede",
            "salom buyurtmam qayerda",
            "donde esta mi pedido",
            "Do you have iphone 13 in stock",
        ],
    )
    def test_other_languages_stay(self, text: str) -> None:
        assert normalise(text).text == text

    @pytest.mark.parametrize(
        "text",
        [
            "Хочу iPhone 13 Pro, где он",
            "почта ivanov@mail.ru не приходит код",
            "трек LL123456789RU где",
            "сайт www.shop.ru/lk не открывается",
            "промокод LETO2024 не работает",
            "не работает push уведомление",
        ],
    )
    def test_brands_addresses_and_codes_stay_in_a_russian_message(self, text: str) -> None:
        assert normalise(text).text == text


class TestLetters:
    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("зaкaз нe пришeл", "заказ не пришел"),
            ("заказ c карты", "заказ с карты"),
            ("нуууу чё там?????", "ну что там?"),
            ("спасибоооо", "спасибо"),
            ("длиннннный", "длинный"),
            ("ЗАКАЗ НЕ ПРИШЕЛ!!!!", "заказ не пришел!"),
            ("ё-моё «где» — заказ", 'е-мое "где" - заказ'),
            ("за\u200bказ", "заказ"),
            ("када щас приедет, спс", "когда сейчас приедет, спасибо"),
        ],
    )
    def test_writing_is_made_plain(self, written: str, meant: str) -> None:
        assert normalise(written).text == meant

    def test_emoji_speak_only_where_there_are_no_words(self) -> None:
        assert normalise("👍").text == "да"
        assert normalise("👍 супер").text.strip() == "супер"

    def test_an_abbreviation_keeps_its_capitals(self) -> None:
        assert normalise("пришла СМС").text == "пришла СМС"


class TestPositions:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "   ",
            "👍👍",
            "нуууу чё там с 48-213?",
            "gde moi zakaz 48213",
            "лк не открывается, e\u0308лка\u200b 5",
            "ULT VJQ",
        ],
    )
    def test_every_character_and_word_points_into_the_original(self, text: str) -> None:
        result = normalise(text)
        assert len(result.offsets) == len(result.text)
        assert list(result.offsets) == sorted(result.offsets)
        ends = [0]
        for token in result.tokens:
            assert text[token.start : token.end] == token.text
            assert token.start >= ends[-1]
            ends.append(token.end)

    def test_a_word_keeps_lemma_and_mended_form(self) -> None:
        token = normalise("Посылкуууу жду").tokens[0]
        assert (token.text, token.norm, token.lemma) == ("Посылкуууу", "посылку", "посылка")

    def test_an_order_number_is_found_where_it_was_typed(self) -> None:
        text = "нуууу и где   zakaz 48213"
        token = normalise(text).tokens[-1]
        assert text[token.start : token.end] == "48213"


def test_a_usual_message_takes_well_under_two_milliseconds() -> None:
    text = "Здравствуйте, заказывала сапоги ещё третьего ноября, када уже привезут, я в Туле, заказ 48213???"
    normalise(text)
    started = time.perf_counter()
    for _ in range(50):
        normalise(text)
    assert (time.perf_counter() - started) / 50 < 0.002
