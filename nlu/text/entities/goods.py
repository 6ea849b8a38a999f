"""Goods that are named, and the delivery methods."""

from __future__ import annotations

from functools import lru_cache

from nlu.text.entities.goods_list import BOUGHT, CONTAINERS, DEVICES, DOUBTFUL, GOODS, HEADS_WITH_ADJECTIVE, TRADED
from nlu.text.entities.line import Line
from nlu.text.words import parses, words_of

# ── Goods ────────────────────────────────────────────────────────────────────────────────────────
_NOT_A_KIND = words_of(
    "мой твой наш ваш свой этот тот такой весь сам самый другой один какой какой-то некоторый любой каждый новый старый "
    "первый второй третий четвертый последний целый следующий прошлый должный нужный похожий одинаковый данный его "
    "который чужой купленный заказанный оплаченный весь разный обычный плохой хороший красивый никакой ни два"
)
_AFTER_DEVICE = words_of("номер номера номеру по на с через код")


def find_products(line: Line) -> None:
    """Find goods: a noun of the gazetteer with the adjectives that tell its kind."""
    for index, token in enumerate(line.tokens):
        if not line.free(token.start, token.end):
            continue
        head = head_of(token.norm)
        if head is None or not _meant_as_goods(line, index, head):
            continue
        first, last = _phrase(line, index, head)
        line.take("product", line.text[line.tokens[first].start : line.tokens[last].end], line.tokens[first].start,
                  line.tokens[last].end)  # fmt: skip


@lru_cache(maxsize=50_000)
def head_of(word: str) -> str | None:
    """Return the lemma by which a word is a noun of goods."""
    for parse in parses(word)[:6]:
        lemma = parse.normal_form.replace("ё", "е")
        listed = lemma in GOODS or lemma in HEADS_WITH_ADJECTIVE or lemma in CONTAINERS
        if listed and parse.tag.POS in ("NOUN", "ADJF", None) and parse.score > 0.02:
            return str(lemma)
    return None


def _meant_as_goods(line: Line, index: int, head: str) -> bool:
    if head in HEADS_WITH_ADJECTIVE and head not in DEVICES:
        around = [line.tokens[other].lemma for other in (index - 1, index + 1) if 0 <= other < len(line.tokens)]
        if HEADS_WITH_ADJECTIVE[head] & set(around):
            return True
        if head not in GOODS:
            return False
    if head in CONTAINERS:
        return _genitive_follows(line, index)
    if head in DEVICES:
        before = line.tokens[max(0, index - 2) : index]
        if (before and before[-1].norm in _AFTER_DEVICE) or line.tokens[index].norm == "часов":
            return False
        return any(token.lemma in TRADED for token in before)
    if head in DOUBTFUL:
        window = line.tokens[max(0, index - 4) : index + 4]
        return any(token.lemma in BOUGHT for token in window if token is not line.tokens[index])
    return True


def _genitive_follows(line: Line, index: int) -> bool:
    if index + 1 >= len(line.tokens) or not line.adjacent(index, index + 1):
        return False
    following = parses(line.tokens[index + 1].norm)
    return any({"NOUN", "gent"} <= set(parse.tag.grammemes) for parse in following[:3])


def _phrase(line: Line, index: int, head: str) -> tuple[int, int]:
    """Return the first and last word of the phrase around a head noun."""
    first = last = index
    if first and _is_kind(line, first - 1) and line.adjacent(first - 1, first):
        first -= 1
    if head in CONTAINERS:
        return first, last + 1
    if last + 1 < len(line.tokens) and line.adjacent(last, last + 1) and _is_kind(line, last + 1):
        beyond = line.tokens[last + 2] if last + 2 < len(line.tokens) else None
        owned = beyond and line.adjacent(last + 1, last + 2) and "NOUN" in parses(beyond.norm)[0].tag.grammemes
        if not owned:
            last += 1
    elif _for_something(line, last):
        last += 2
    return first, last


def _for_something(line: Line, index: int) -> bool:
    """Tell whether 'для' and a noun follow: 'крем для рук'."""
    if index + 2 >= len(line.tokens) or line.tokens[index + 1].norm != "для" or not line.adjacent(index, index + 1):
        return False
    return "NOUN" in parses(line.tokens[index + 2].norm)[0].tag.grammemes


def _is_kind(line: Line, index: int) -> bool:
    """Tell whether a word is an adjective that tells a kind: зимний, детский, not мой or новый."""
    token = line.tokens[index]
    if token.lemma in _NOT_A_KIND or not line.free(token.start, token.end):
        return False
    parse = parses(token.norm)[0]
    return parse.tag.POS == "ADJF" and not parse.tag.grammemes & {"Apro", "Anum"}


# ── Delivery methods ─────────────────────────────────────────────────────────────────────────────
_CHOICE = words_of("вместо или либо чем только можно лучше хотеть способ доставка удобнее дешевле не")
_CHANGES = words_of("переделать переключить перевести переоформить")
"""Beside «на почту», «с почты» these tell a way of delivery."""
_WANTS_COURIER = words_of("чтоб чтобы вместо вызвать доплата доставка на с через хотеть или либо")


def find_delivery(line: Line) -> None:
    """Find post, courier and pickup where they are the way of delivery, not a person or a building."""
    for index, token in enumerate(line.tokens):
        method = _method(line, index)
        if method is not None:
            value, first, last = method
            line.take("delivery_method", value, line.tokens[first].start, line.tokens[last].end)
        elif token.norm.startswith("самовывоз") or (
            token.norm.startswith(("постамат", "почтомат")) and not _spoken_of(line, index)
        ):
            line.take("delivery_method", "pickup", token.start, token.end)


def _method(line: Line, index: int) -> tuple[str, int, int] | None:
    token = line.tokens[index]
    before = line.tokens[index - 1] if index else None
    following = line.tokens[index + 1] if index + 1 < len(line.tokens) else None
    if token.lemma == "почта":
        return _post(line, index)
    if token.lemma == "курьер":
        if token.norm == "курьером":
            return None if before and before.norm == "с" and not _wanted(line, index) else ("courier", index, index)
        if before and before.lemma == "доставка" and token.norm == "курьер":
            return None
        if before and (before.norm in _WANTS_COURIER or before.lemma in _WANTS_COURIER - {"на", "с"}):
            return "courier", index, index
        return None
    if token.lemma == "курьерский" and following and following.lemma in ("доставка", "служба"):
        return ("courier", index, index + 1) if following.lemma == "доставка" or following.norm == "службой" else None
    if token.lemma == "пункт" and following and following.norm in ("выдачи", "самовывоза"):
        return None if _spoken_of(line, index) else ("pickup", index, index + 1)
    if (
        token.norm in ("сдэком", "сдеком", "боксберри", "сдэк")
        and before
        and before.norm in ("можно", "через", "или", "ли")
    ):
        return "courier", index, index
    return None


def _spoken_of(line: Line, index: int) -> bool:
    """Tell whether a pick-up point is spoken of as a place with people, a phone, a door."""
    token = line.tokens[index]
    before = [word.lemma for word in line.tokens[max(0, index - 2) : index]]
    starts = index == 0 or line.text[: token.start].rstrip()[-1:] in ".!?\n"
    return (starts and token.text[:1].isupper() and len(line.tokens) > 3) or bool(_PLACE_TALK & set(before))


_PLACE_TALK = words_of(
    "телефон номер контакт дозвониться девушка парень человек женщина сотрудник сотрудница связь видео запись "
    "руководить работник дверь хамить позвонить про"
)


def _wanted(line: Line, index: int) -> bool:
    return any(
        token.lemma in ("доставка", "заказывать", "заказать", "отправить", "выслать")
        for token in line.tokens[max(0, index - 3) : index]
    )


def _post(line: Line, index: int) -> tuple[str, int, int] | None:
    token = line.tokens[index]
    before = line.tokens[index - 1] if index else None
    if (before and before.lemma in ("электронный", "моя", "мой", "эл")) or _email_near(line, index):
        return None
    last = index + 1 if index + 1 < len(line.tokens) and line.tokens[index + 1].norm == "россии" else index
    if token.norm == "почтой":
        return "post", index, last
    if before and before.lemma in _CHOICE and token.norm != "почта":
        return "post", index, last
    beside = line.tokens[max(0, index - 4) : index + 4]
    if before and before.norm in ("на", "с") and any(word.lemma in _CHANGES for word in beside):
        return "post", index, last
    if before and before.norm == "по" and token.norm == "почте" and _wanted(line, index):
        return "post", index, last
    return None


def _email_near(line: Line, index: int) -> bool:
    window = line.tokens[max(0, index - 4) : index + 5]
    return any("@" in token.norm or token.lemma in ("письмо", "пароль", "привязать", "подтвердить") for token in window)
