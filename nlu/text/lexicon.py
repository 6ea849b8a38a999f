"""The tables of the normaliser: keyboard layouts, transliteration, look-alikes, slang and words to leave alone."""

from __future__ import annotations

from nlu.text.words import words_of

# ── Keyboard: the same key in the Latin and in the Russian layout ────────────────────────────────
_LATIN_KEYS = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>~"
_RUSSIAN_KEYS = "йцукенгшщзхъфывапролджэячсмитьбюёЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮЁ"
TO_RUSSIAN_KEYS = dict(zip(_LATIN_KEYS, _RUSSIAN_KEYS, strict=True))
TO_LATIN_KEYS = {russian: latin for latin, russian in TO_RUSSIAN_KEYS.items()}

# ── Look-alike letters ───────────────────────────────────────────────────────────────────────────
LATIN_TO_CYRILLIC = dict(zip("aceopxykmtbhnrAEBKMHOPCTXYu", "асеорхукмтвнпгАЕВКМНОРСТХУи", strict=True))
CYRILLIC_TO_LATIN = dict(zip("асеорхукАЕВКМНОРСТХУ", "aceopxykAEBKMHOPCTXY", strict=True))

# ── Transliteration: how a Latin group may be read, with the cost of each reading ────────────────
TRANSLIT: dict[str, tuple[tuple[str, float], ...]] = {
    "a": (("а", 0), ("я", 1.5)),
    "b": (("б", 0), ("ь", 1.5)),
    "c": (("ц", 0.3), ("с", 0.5), ("к", 0.7), ("ч", 1)),
    "d": (("д", 0),),
    "e": (("е", 0), ("ё", 0.2), ("э", 0.3), ("ье", 1)),
    "f": (("ф", 0),),
    "g": (("г", 0), ("ж", 1.5)),
    "h": (("х", 0), ("ш", 1.5)),
    "i": (("и", 0), ("й", 0.3), ("ы", 0.8), ("ий", 1), ("ый", 1)),
    "j": (("ж", 0.2), ("й", 0.2), ("дж", 1), ("ь", 0.6), ("я", 1.5)),
    "k": (("к", 0),),
    "l": (("л", 0),),
    "m": (("м", 0),),
    "n": (("н", 0),),
    "o": (("о", 0), ("ё", 1), ("а", 1.5)),
    "p": (("п", 0),),
    "q": (("к", 0.5), ("я", 0.8), ("ку", 1)),
    "r": (("р", 0),),
    "s": (("с", 0), ("ш", 1.2)),
    "t": (("т", 0),),
    "u": (("у", 0), ("ю", 0.5)),
    "v": (("в", 0),),
    "w": (("в", 0), ("ш", 0.8), ("щ", 1)),
    "x": (("х", 0), ("кс", 0.5)),
    "y": (("ы", 0), ("й", 0), ("и", 0.6), ("у", 1), ("ь", 0.8), ("ий", 0.8), ("ый", 0.8)),
    "z": (("з", 0), ("ж", 0.8), ("ц", 1.2)),
    "4": (("ч", 0),),
    "6": (("ш", 0.3),),
    "'": (("ь", 0), ("ъ", 0.3)),
    "`": (("ь", 0),),
    "ya": (("я", 0),),
    "ja": (("я", 0),),
    "ia": (("ия", 0.2), ("я", 0.4)),
    "yu": (("ю", 0),),
    "ju": (("ю", 0),),
    "iu": (("ю", 0.4),),
    "yo": (("ё", 0),),
    "jo": (("ё", 0),),
    "ye": (("е", 0.1), ("ье", 0.5)),
    "je": (("е", 0.1), ("ье", 0.5)),
    "ie": (("ие", 0), ("ье", 0.5)),
    "ii": (("ий", 0),),
    "iy": (("ий", 0),),
    "ij": (("ий", 0),),
    "yj": (("ый", 0),),
    "yi": (("ый", 0.2),),
    "sh": (("ш", 0), ("щ", 0.5)),
    "shh": (("щ", 0),),
    "sch": (("щ", 0),),
    "shch": (("щ", 0),),
    "ch": (("ч", 0), ("х", 1)),
    "tch": (("ч", 0.2),),
    "zh": (("ж", 0),),
    "kh": (("х", 0),),
    "ts": (("ц", 0),),
    "tz": (("ц", 0),),
    "ck": (("к", 0.2),),
    "ph": (("ф", 0.3),),
    "ks": (("кс", 0),),
    "ee": (("и", 0.8),),
    "oo": (("у", 0.8),),
}
TRANSLIT_SOFT = "бвдзлмнпрст"
"""After these letters writers of Latin leave out ь: skolko, est, dengi."""

# Short or ambiguous words whose reading the costs alone would get wrong.
_TRANSLIT_PAIRS = words_of(
    "i:и y:у u:у a:а v:в w:в s:с c:с k:к o:о ya:я ja:я ia:я ne:не na:на no:но ni:ни da:да net:нет za:за do:до "
    "ot:от iz:из po:по mi:мы my:мы vi:вы vy:вы wy:вы ti:ты ty:ты on:он ona:она mne:мне moi:мой moy:мой moj:мой "
    "moya:моя moja:моя moe:мое moyo:мое eto:это eta:эта gde:где kak:как kto:кто chto:что shto:что 4to:что cto:что "
    "sto:что chto-to:что-то kogda:когда ko:ко pochemu:почему po4emu:почему esche:еще eshe:еще esho:еще escho:еще "
    "eshyo:еще est:есть ochen:очень o4en:очень ok:ок okey:окей mozhno:можно mojno:можно vse:все vsyo:все "
    "che:че 4e:че tam:там tut:тут sms:смс pvz:пвз spasibo:спасибо privet:привет pls:пожалуйста plz:пожалуйста "
    "pozh:пожалуйста budet:будет esli:если ili:или bi:бы by:бы li:ли zhe:же je:же tovar:товар dengi:деньги den:день "
    "nuzhno:нужно nujno:нужно srok:срок pro:про so:со pod:под nad:над dlya:для dlja:для"
)
TRANSLIT_WORDS: dict[str, str] = dict(pair.split(":") for pair in sorted(_TRANSLIT_PAIRS))

# ── Words that are not Russian and stay as they are ──────────────────────────────────────────────
ENGLISH = words_of(
    "the a an i you he she it we they me my your his her our their this that these those is am are was were be been "
    "do does did done have has had can could will would shall should may might must not no yes and or but if "
    "so because what when where which who why how there here to of in on at by for from with without about into "
    "over after before again please thank thanks hello hi hey good morning day evening bye sorry help need want "
    "like know think tell say said get got give go come came send sent receive received arrive arrived order "
    "orders ordered parcel package delivery deliver delivered shipping shipped track tracking number status "
    "return returned refund money back pay paid payment card price cost cancel cancelled change address phone "
    "code account login password site app website work works working doesn't don't didn't can't won't isn't it's "
    "i'm i've email mail call called speak english russian someone anyone operator agent support customer service "
    "shop store buy bought item items product size color wrong broken still yet now today tomorrow yesterday week "
    "weeks days ago long time last next any some all more much many very just only also too new old find "
    "check wait waiting possible question problem issue answer understand language push error update link file server timeout loading failed "
    " big small red black white free full empty user name set kit bank sms chat bot human person manager"
)
FOREIGN = words_of(
    "ich ist nicht und der die das wo mein meine wann bitte danke hallo guten tag habe haben kann wie ein eine "
    "bestellung paket geld zuruck für fur auf mit von sie es wir donde dónde esta está mi pedido hola por favor "
    "quiero cuando gracias no tengo el la los para con que ne zaman nerede siparis siparişim siparisim merhaba "
    "tesekkurler para iade istiyorum var yok bir ve bu benim salom assalomu alaykum qayerda qachon buyurtma "
    "buyurtmam menga kerak rahmat mening pulim bormi emas je est mon ma commande ou bonjour merci vous avez "
    "ciao dove mio ordine grazie quando gdzie jest moje moja zamowienie dzien dobry prosze kiedy chce"
)
BRANDS = words_of(
    "iphone ipad macbook apple airpods samsung galaxy xiaomi redmi mi poco huawei honor realme nokia lenovo asus "
    "acer hp dell lg sony philips bosch braun tefal dyson polaris redmond kitfort vitek scarlett moulinex rowenta "
    "electrolux indesit beko haier gorenje makita nike adidas puma reebok zara mango lego barbie nivea garnier "
    "loreal maybelline visa mastercard maestro mir sbp telegram whatsapp viber vk google android ios windows chrome "
    "safari xbox playstation ps usb wifi wi-fi bluetooth led cdek dpd dhl ems boxberry pony ozon avito premium plus "
    "pro max mini lite pay sim pin qr pdf id online offline vip xl xxl xs gps tv hd ssd nfc type ultra note "
    "one two go express flex cvc cvv sale black friday gold silver"
)

# ── Slang, short forms and the commonest misspellings ────────────────────────────────────────────
SLANG: dict[str, str] = {
    "када": "когда", "кагда": "когда", "скока": "сколько", "скок": "сколько", "сколка": "сколько",
    "щас": "сейчас", "ща": "сейчас", "щаз": "сейчас", "счас": "сейчас", "сёдня": "сегодня",
    "седня": "сегодня", "сення": "сегодня", "севодня": "сегодня", "вчира": "вчера", "чё": "что", "че": "что",
    "чо": "что", "шо": "что", "што": "что", "чтото": "что-то", "чёто": "что-то", "чето": "что-то", "чета": "что-то",
    "ничё": "ничего", "ниче": "ничего", "ничо": "ничего", "пачему": "почему",
    "почиму": "почему", "спс": "спасибо", "спсб": "спасибо", "спасиб": "спасибо",
    "пасиб": "спасибо", "пасибо": "спасибо", "пасибки": "спасибо", "спасибки": "спасибо", "сенкс": "спасибо",
    "сяб": "спасибо", "благодарствую": "благодарю", "пж": "пожалуйста", "пжл": "пожалуйста", "пжлст": "пожалуйста",
    "пжст": "пожалуйста", "пжлста": "пожалуйста", "плз": "пожалуйста", "плиз": "пожалуйста", "плис": "пожалуйста",
    "пож": "пожалуйста", "пожалуста": "пожалуйста", "пажалуста": "пожалуйста", "пожалста": "пожалуйста",
    "пожайлуста": "пожалуйста", "пожалйста": "пожалуйста", "пожалусто": "пожалуйста", "здрасте": "здравствуйте",
    "здрасьте": "здравствуйте", "здравствуте": "здравствуйте", "здраствуйте": "здравствуйте",
    "здрасти": "здравствуйте", "здраствуй": "здравствуй", "прив": "привет", "превет": "привет", "приветик": "привет",
    "дд": "добрый день", "пака": "пока", "извените": "извините",
    "извеняюсь": "извиняюсь", "сорян": "извините", "сори": "извините", "сорри": "извините", "ваще": "вообще",
    "вобще": "вообще", "вообщем": "в общем", "вобщем": "в общем", "воще": "вообще", "оч": "очень", "очч": "очень",
    "нее": "нет", "не-а": "нет", "ага": "да", "угу": "да", "лана": "ладно",
    "норм": "нормально", "короч": "короче", "кароч": "короче", "кароче": "короче", "чел": "человек", "инфа": "информация",
    "инфу": "информацию", "инфы": "информации", "комп": "компьютер", "телик": "телевизор",
    "симка": "сим-карта", "смска": "смс", "смску": "смс", "смски": "смс", "эсэмэска": "смс", "эсэмэску": "смс",
    "эсэмэски": "смс", "емейл": "почта", "имейл": "почта", "емэйл": "почта", "прога": "программа",
    "приложуха": "приложение", "приложка": "приложение", "приложуху": "приложение", "приложухе": "приложении",
    "деньгу": "деньги", "денюжки": "деньги", "денежка": "деньги", "денежки": "деньги", "денежку": "деньги",
    "деняк": "денег", "бабосы": "деньги", "бабло": "деньги", "бабос": "деньги", "лавэ": "деньги",
    "тыщ": "тысяч", "тыща": "тысяча", "тыщи": "тысячи", "тыщу": "тысячу", "косарь": "тысяча", "косаря": "тысячи",
    "косарей": "тысяч", "лк": "личный кабинет", "пвз": "пункт выдачи", "тп": "техподдержка",
    "пасылка": "посылка", "пасылку": "посылку",
    "заказик": "заказ", "зказ": "заказ", "закас": "заказ", "закз": "заказ", "промик": "промокод", "промо": "промокод",
    "опиратор": "оператор", "аператор": "оператор", "оперетор": "оператор", "курьир": "курьер",
    "курер": "курьер", "куриер": "курьер", "днюха": "день рождения", "рассрочк": "рассрочка",
    "росрочка": "рассрочка", "расрочка": "рассрочка", "расрочку": "рассрочку", "акаунт": "аккаунт", "акк": "аккаунт",
    "аккаунд": "аккаунт", "хочю": "хочу", "хачу": "хочу", "магу": "могу",
    "нада": "надо", "тока": "только", "токо": "только", "тольк": "только",
    "скажыте": "скажите", "падскажите": "подскажите", "подскажыте": "подскажите", "зайдти": "зайти", "придти": "прийти",
    "чтоли": "что ли", "пришол": "пришел", "нашол": "нашел", "ушол": "ушел", "тоесть": "то есть", "незнаю": "не знаю",
    "немогу": "не могу", "неработает": "не работает", "непришло": "не пришло", "непришел": "не пришел",
    "непришла": "не пришла", "нехочу": "не хочу", "ненадо": "не надо", "ненужно": "не нужно", "непонял": "не понял",
    "чекнуть": "проверить", "чекните": "проверьте", "гляньте": "посмотрите", "вернити": "верните",
    "пачта": "почта", "почьта": "почта", "пачтой": "почтой", "магаз": "магазин", "магазе": "магазине",
}  # fmt: skip

# A message of nothing but these still says something.
EMOJI_WORDS: dict[str, str] = {
    "👍": "да", "👌": "да", "✅": "да", "🆗": "да", "👎": "нет", "❌": "нет", "🙏": "спасибо", "❤": "спасибо",
    "🤝": "хорошо", "👋": "привет", "😡": "злюсь", "🤬": "злюсь", "😠": "злюсь", "❓": "?",
}  # fmt: skip
