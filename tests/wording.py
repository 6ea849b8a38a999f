"""What no customer may read, beyond the pack's own `never_say`: held against every phrase and every reply of every talk.

The pack's patterns stand for what one glance at a sentence can tell. Here is what depends on the rule behind a reply (the
same words are right elsewhere), on the shop's data, or on how people write; each entry says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import flows

# ------------------------------------------------------------------------------------------------ in any text
ANYWHERE: dict[str, str] = {
    # codes of the model (order_status, delivery_method …) are no words for customers; phrases hold them only as placeholders
    r"(?<![\w.@/])[a-z]+_[a-z_]+(?![\w@])": "a code of the model",
    r"\b(exported|cancelled|postponed|confirmed|checked|handed to partner|closed region|line haul|pickup)\b": "a code",
    # officialese: what a letter from an office would say
    r"в соответствии с|согласно (закон|правил|услови)|в связи с|надлежащ|вышеуказан|настоящим|уведомля(ем|ю)": "officialese",
    r"\bданн(ый|ая|ое|ого|ому|ом) (заказ|вопрос|товар|случа|обращени|номер|адрес)": "officialese",
    r"осуществля|производится|не представляется возможным|в кратчайш|в рамках|на текущий момент|в данный момент": "officialese",
    r"\bявля(ется|ются)\b|урегулир|принимаются меры|просим вас ожидать|оставайтесь на линии|ваш звонок": "officialese",
    # the bot has no gender, and customers have theirs: neither is guessed
    r"\b(понял|поняла|рад|рада|сделал|сделала|нашел|нашла|проверил|проверила|записал|записала|передала)\b": "the bot's gender",
    r"\b(готов|готова) (помочь|ответить|подсказать)|\b(уверен|уверена|благодарен|благодарна|вынужден|могла)\b": "gender",
    r"\w\(а\)|\b(согласен|согласна|сам или сама|недоволен|недовольна)\b": "the customer's gender",
}
"""Pattern over lower-case text with ё as е -> why it is not said."""

PLACE = r"отправлен|\bв пути\b|\bедет\b|\bприбы|\bпришел\b|\bпришла\b|доставк\w+ ожида|\d{1,2} (января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря)"
DAY = r"\b\d{1,2} (января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря)"
MONEY = r"\d[\d\s]*(₽|руб)"
RETURNED = r"(посылк|возврат|товар)\w* (уже )?(к нам )?(дош|пришел|пришла|поступил|получен|принят)|у нас на складе|(мы|нами) получ|деньг\w+ (уже )?(отправ|перев|перечисл)"
TERMS = r"145913|а/я|абонентск|наложенн|\b(14|30) дн"

# ------------------------------------------------------------------------------------------------ in a reply of a rule
BY_RULE: dict[str, str] = {
    "AUTH-01": r"заказ|посылк|возврат товар",  # nothing about any customer
    "L2-63": r"наш\w* (клиент|покупател)",  # … also not whether somebody is one
    "ID-03": r"по карте|в карточке",
    "ID-04": r"неверн|не совпа|номер найден|карточк",  # which of the data was wrong is nobody's business (ruling 13)
    "ID-06": r"не найден|не нашл|нашли|нашл[ао]сь",
    "ID-08": r"тезк|однофамил|друг\w+ (клиент|покупател)",
    "ID-10": r"не найден|не нашл|нашли|такой номер|номер (есть|известен|знаком)",
    "CX-20": r"неверн|не совпа|такого (номера|имени)",
    "PARTNER-01": PLACE,
    "PARTNER-02": PLACE,
    "PARTNER-03": PLACE,
    "PARTNER-04": PLACE,
    "SERIAL-03": r"(можно|давайте|предлаг\w+|поможем) оформ|друг(ое|им|ого) (имя|именем|человека)|друг\w+ (номер|телефон)",
    "SERIAL-04": r"отметк|пометк|контактир|черн\w+ спис|карточк|запре(т|щ)",
    "RETURN-11": r"вы ошиб|неправ|перепутали вы|ваша ошибка",
    "RETURN-15": r"(выш|дош|прищ|пришл)\w+ (вам )?(недоста|част|детал)|(вышлем|дошлем|пришлем)",
    "RETURN-20": r"половин|треть|процент|\d ?%",
    "RETURN-24": r"бесплатн",
    "REFUND-02": RETURNED,
    "REFUND-03": RETURNED + r"|(обращение|заявк\w+|запрос) (создан|открыт|заведен|оформлен)",
    "REFUND-04": RETURNED,
    "REFUND-05": RETURNED,
    "REFUND-06": MONEY + r"|\d ?%",
    "REFUND-07": MONEY,
    "REFUND-09": DAY + "|" + MONEY + r"|\d+ дн",
    "STATUS-07": DAY + r"|трек|\d{9,}",
    "STATUS-10": r"дубл|дважды|такой же заказ",
    "STATUS-12": r"5–7|5-7",
    "STATUS-17": r"склад|аннулир|отмен",
    "STATUS-18": r"склад|аннулир|отменен|(будет|скоро) отправ|отправим",
    "STATUS-22": DAY + r"|весн|летом|осенью|к марту|откро(ем|ется)",
    "STATUS-25": RETURNED + "|" + MONEY,
    "STATUS-28": r"оформ(им|ить|ляем) (его )?заново\?|давайте оформим",
    "STATUS-31": r"скорее всего|наверно|вероятно|должен быть|\bв пути\b|на складе",
    "STATUS-32": r"супервайзер|замечани|на проверке",
    "CHANGE-38": r"\b(изменен|исправлен|подтвержден)\b",
    "CHANGE-40": r"\b(изменен|исправлен|подтвержден|убран)\b",
    "CALLS-09": r"чтобы (предлож|рассказ|напомн)|по поводу|реклам",
    "FAQ-03": MONEY + r"|скидк|действует до|обменять на",
    "FAQ-04": r"бриф|папк|базе знаний",
    "PHONE-08": r"\b8[ -]\(?\d{3}|\+7",
    "ORDER-02": r"гаранти[яи]\b|бонусн\w+ карт|предлагаем (еще|также)|вместе с эт",
    "L2-52": r"\b8[ -]\(?\d{3}|\+7|добавочн",
    "CX-16": r"я (не робот|человек)|меня зовут [^.]*оператор",
    "CX-17": r"за нарушени|подозр|мошен|служб\w+ безопасн|долг",  # no guess at the reason of a block
    "TONE-04": r"вы (имеете|вправе|можете) (право|обратиться в суд)|стать[яеи] \d",
}
"""Rule -> pattern that no reply with this rule may match (its `never_say`, or a ruling)."""

OWN_WORDS = 4
"""Letters from which a name or a word of goods is telling enough to be looked for in a text."""


def plain(text: object) -> str:
    """Lower case, ё as е, every space a plain one: how texts are compared here."""
    return re.sub(r"\s+", " ", str(text).lower().replace("ё", "е"))


def in_any_text(text: str, never: Iterable[str] = ()) -> list[str]:
    """What a text to a customer holds that no text may hold; `never` are the pack's own patterns."""
    low = plain(text)
    found = [f"{why}: {match[0]!r}" for pattern, why in ANYWHERE.items() if (match := re.search(pattern, low))]
    return found + [f"never_say: {match[0]!r}" for pattern in never if (match := re.search(pattern, low))]


def in_a_reply(text: str, rules: Sequence[str]) -> list[str]:
    """What a reply holds that one of the rules behind it forbids."""
    low = re.sub(
        r"ценност[^.!?]*?\d+ руб\w*", "", plain(text)
    )  # the declared value of a parcel is no sum of money back
    checked = {rule: BY_RULE[rule] for rule in rules if rule in BY_RULE}
    return [f"{rule}: {match[0]!r}" for rule, pattern in checked.items() if (match := re.search(pattern, low))]


def personal(shop: Mapping[str, Any], text: str, said: str) -> list[str]:
    """Data of the shop's customers and orders that a text shows though the customer has not written them.

    For replies before identification (CX-20, ID-05). `shop` is a shop file's data; `said` is all the customer wrote so far.
    """
    low, told = plain(text), plain(said)
    goods = {plain(good["name"]) for good in shop.get("goods") or ()}
    return sorted(
        one for one in set(_secrets(shop)) if plain(one) in low and plain(one) not in told and plain(one) not in goods
    )


def _secrets(shop: Mapping[str, Any]) -> Iterator[str]:
    for customer in shop.get("customers") or ():
        surname, *_ = str(customer["full_name"]).split()
        yield surname
        yield str(customer.get("settlement") or surname)
        for phone in customer.get("phones") or ():
            digits = re.sub(r"\D", "", str(phone))
            yield f"{digits[-4:-2]}-{digits[-2:]}"
    for order in shop.get("orders") or ():
        yield str(order["number"])
        for key in ("tracking", "address", "recipient"):
            if order.get(key):
                yield str(order[key])
        for place in ("post_office", "pickup_point"):
            yield from (str(value) for value in (order.get(place) or {}).values() if isinstance(value, str))
        yield from (str(item["name"]) for item in order.get("items") or () if len(str(item["name"])) >= OWN_WORDS)
    for request in shop.get("requests") or ():
        yield from (str(request[key]) for key in ("number", "solution") if request.get(key))


def names_of_people(shop: Mapping[str, Any]) -> set[str]:
    """First names with patronymics of the shop's customers: shown before identification only by «это вы?» (ID-01)."""
    return {" ".join(str(one["full_name"]).split()[1:]) for one in shop.get("customers") or ()} - {""}


def single_prices(shop: Mapping[str, Any], text: str) -> list[str]:
    """Prices of single lines, or of the delivery, that a text shows: an order is summed up by its total (ORDER-09)."""
    sums = {re.sub(r"\D", "", found) for found in re.findall(r"\d[\d\s]*(?=₽|руб)", plain(text))}
    single: set[str] = set()
    for order in shop.get("orders") or ():
        lines = [float(line.get("price") or 0) * int(line.get("quantity") or 1) for line in order.get("items") or ()]
        delivery = float(order.get("delivery_price") or 0)
        total = float(order.get("total") or sum(lines) + delivery)
        single |= {f"{one:.0f}" for one in (*lines, delivery) if one and one != total}
    return sorted(sums & single)


def every_text(pack: flows.Pack) -> Iterator[tuple[str, str]]:
    """Each variant of each phrase and each title of a button, with where it stands; intents are buttons too (CX-09)."""
    for name, phrase in pack.phrases.items():
        yield from ((name, variant) for variant in phrase.say)
        for button in phrase.buttons:
            yield name, pack.buttons[button].title if isinstance(button, str) else button.title
    yield from (("buttons.yml", button.title) for button in pack.buttons.values())
    yield from (("intents.yml", intent.title) for intent in pack.intents.values() if intent.title)
