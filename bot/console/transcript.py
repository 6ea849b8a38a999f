"""The talk as an agent reads it: lines, notes, events and attachments in one stream, in pieces that change by themselves.

Every text is escaped; only addresses of pages in it become links. A piece is redrawn when one of its lines changes, so a
new line sends no more than the last piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import htpy as h

import flows
from bot import files, phones
from bot.console import times, words
from bot.dossier import Event, Line, Stream
from bot.masking import mask
from bot.models import Delivery, Message, RequestEvent, Sender

PIECE = 20
"""Lines that are redrawn together."""
PIECES = 24
"""So many are on each page, those at the end empty until there is something to say; the last takes all that is left."""
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/gif")
"""Kinds of files that may be shown on a page: pictures of dots, which run nothing."""
SOUNDS = ("audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/x-wav", "audio/x-flac")
PICTURE_BYTES = 12 * 1024 * 1024
FILE_REASONS = {
    "kind": "такие файлы не принимаются", "too_big": "слишком большой", "day_full": "за сутки прислано слишком много",
    "gone": "мессенджер его не отдаёт", "old": "срок хранения вышел",
}  # fmt: skip
KINDS = {
    "photo": "Фото",
    "voice": "Голосовое",
    "video": "Видео",
    "file": "Файл",
    "sticker": "Стикер",
    "place": "Место на карте",
}
_ADDRESS = re.compile(r"https?://[^\s<>\"«»]+", re.I)
_CLOSING = ".,;:!?)]}'…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What lines look like to whoever reads them."""

    pack: flows.Pack
    now: datetime
    number: str
    # of the request
    customer: str
    # how the customer is called
    titles: Mapping[str, str]
    # agents' names -> what they are called
    may_send: bool = False
    # the reader may send again what was not delivered
    phones: bool = True
    # telephone numbers are shown in full


def pieces(stream: Stream, looks: Looks) -> list[h.Element]:
    """The pieces of a talk, each with an id of its own; those at the end are empty still."""
    drawn = list(_drawn(stream.items, looks))
    places = [drawn[number * PIECE : (number + 1) * PIECE] for number in range(PIECES - 1)]
    return [h.div(f"#piece-{number}.piece")[one] for number, one in enumerate([*places, drawn[(PIECES - 1) * PIECE :]])]


def earlier(stream: Stream, looks: Looks) -> h.Fragment:
    """A piece of the talk before what is shown."""
    return h.fragment[list(_drawn(stream.items, looks))]


def _drawn(items: Sequence[Line | Event], looks: Looks) -> Iterator[h.Element]:
    day: date | None = None
    who: tuple[str, str | None] | None = None
    for one in items:
        drawn = _line(one, looks, who) if isinstance(one, Line) else _event(one.event, looks)
        if drawn is None:
            continue
        today = one.at.astimezone(looks.pack.zone).date()
        if today != day:
            day, who = today, None
            if isinstance(one, Line):
                drawn = _line(one, looks, None)
            yield h.p(".day", id=f"day-{one.message.id if isinstance(one, Line) else one.event.id}")[
                h.span[times.day(one.at, looks.pack.zone, looks.now)]
            ]
        who = (one.message.sender, one.message.agent) if isinstance(one, Line) else None
        yield drawn


# ----------------------------------------------------------------------------------------------------------- lines
def _line(one: Line, looks: Looks, before: tuple[str, str | None] | None) -> h.Element:
    said = one.message
    same = before == (said.sender, said.agent)
    return h.article(f"#line-{said.id}", class_=f"line {said.sender}{' same' if same else ''}")[
        h.p(class_="visually-hidden" if same else "who")[
            h.b[_who(said, looks)],
            h.span(".secret")[" заметка, клиент не видит"] if said.sender == Sender.NOTE else None,
        ],
        h.div(".bubble")[
            _words(said, looks),
            _attachments(one),
            h.p(".buttons")[
                h.span(".visually-hidden")["Кнопки: "], [h.span(".chip")[button["title"]] for button in said.buttons]
            ]
            if said.buttons
            else None,
            h.p(".meta")[_marks(said, looks)],
        ],
        _undelivered(said, looks),
    ]


def _who(said: Message, looks: Looks) -> str:
    match said.sender:
        case Sender.CUSTOMER:
            return looks.customer
        case Sender.BOT:
            return "Бот"
        case Sender.SYSTEM:
            return "Автоматическое сообщение"
        case Sender.NOTE if not said.agent:
            return "Система"
    return said.agent or "Специалист"


def _words(said: Message, looks: Looks) -> h.Node:
    text = said.text if looks.phones else mask(said.text or "")
    if said.press is not None or said.stale_press:
        old = " (старая)" if said.stale_press else ""
        return h.p(".words.press")[h.span(".dim")[f"Нажал кнопку{old}: "], text]
    shown: list[h.Node] = []
    if text:
        shown.append(h.p(".words")[linked(text)])
    if said.contact:
        shown.append(
            h.p(".words")[
                h.span(".dim")["Поделился своим номером: "],
                h.span(".mono")[said.contact if looks.phones else phones.masked(said.contact)],
            ]
        )
    return shown


def linked(text: str) -> list[h.Node]:
    """A text with the addresses in it as links that tell nothing of where they stand."""
    made: list[h.Node] = []
    end = 0
    for found in _ADDRESS.finditer(text):
        address = found[0].rstrip(_CLOSING)
        made += [
            text[end : found.start()],
            h.a(href=address, target="_blank", rel="noopener noreferrer nofollow")[address],
        ]
        end = found.start() + len(address)
    return [*made, text[end:]]


def _marks(said: Message, looks: Looks) -> list[h.Node]:
    marks: list[h.Node] = []
    if said.sender == Sender.BOT and said.turn_id is not None:
        marks.append(h.a(".why", href=f"/desk/why/{said.id}")["Почему?"])
    if said.edited:
        marks.append(h.span["изменено"])
    marks.append(
        h.time(datetime=said.at.isoformat(), title=times.day_and_time(said.at, looks.pack.zone, looks.now))[
            times.clock(said.at, looks.pack.zone)
        ]
    )
    match said.delivery:
        case Delivery.PENDING:
            marks.append(h.span(".waits")["ждёт отправки"])
        case Delivery.SENDING:
            marks.append(h.span(".waits")["отправляется"])
        case Delivery.SENT:
            marks.append(h.span(".sent", title="Отправлено", role="img", aria_label="отправлено")["✓"])
    return marks


def _undelivered(said: Message, looks: Looks) -> h.Element | None:
    match said.delivery:
        case Delivery.FAILED:
            told = f"Не доставлено: {_why(said.error)}"
        case Delivery.REFUSED:
            return h.p(".undelivered.dim")["Не отправлено: с клиентом уже говорил специалист"]
        case Delivery.UNKNOWN:
            told = "Неизвестно, дошло ли: мессенджер не ответил"
        case _:
            return None
    again = h.form(method="post", action=_again(said, looks), hx_post=_again(said, looks), hx_swap="none")[
        h.button(".plain.small")["Отправить ещё раз"]
    ]
    return h.div(".undelivered")[h.span[told], again if looks.may_send and said.sender != Sender.BOT else None]


def _again(said: Message, looks: Looks) -> str:
    return f"/desk/requests/{looks.number}/again/{said.id}"


def _why(error: str | None) -> str:
    told = error or ""
    if told.startswith(("Unreachable", "the customer cannot")):
        return "клиент заблокировал бота или удалил чат"
    if told.startswith("Rejected"):
        return "мессенджер не принял это сообщение"
    if told.startswith("the channel is not set up"):
        return "канал не подключён"
    if told.startswith(("FileGone", "FileUnknown")):
        return "файла больше нет"
    return "мессенджер не принял сообщение"


# ----------------------------------------------------------------------------------------------------- attachments
def _attachments(one: Line) -> h.Node:
    kept = [_attachment(file) for file in one.files]
    plain = [entry for entry in one.message.attachments if not one.files or entry.get("kind") in ("sticker", "place")]
    chips = [h.span(".chip")[_called(entry)] for entry in plain]
    return h.div(".attached")[kept, chips] if kept or chips else None


def _called(entry: Mapping[str, object]) -> str:
    kind, name = KINDS.get(str(entry.get("kind")), "Вложение"), entry.get("name")
    return f"{kind}: {name}" if name else kind


def _attachment(file: files.Attached) -> h.Node:
    name = file.name or KINDS.get(file.kind, "Файл")
    address = f"/desk/files/{file.id}"
    match file.state:
        case files.FileState.WAITING:
            return h.span(".file.dim")[name, " · загружается"]
        case files.FileState.REFUSED | files.FileState.LOST:
            why = FILE_REASONS.get(file.reason or "", "не сохранился")
            return h.span(".file.lost")[name, f" · нет файла: {why}"]
    told = f"{name}, {times.size(file.size)}"
    if file.mime in PICTURES and (file.size or 0) <= PICTURE_BYTES:
        return h.a(".photo", href=f"{address}/picture", target="_blank", rel="noopener", title=told)[
            h.img(src=f"{address}/picture", alt=f"Вложение: {told}. Открыть", loading="lazy", decoding="async")
        ]
    download = h.a(".file", href=address, download=True)[
        h.span(aria_hidden="true")["↓ "], name, h.span(".dim")[f" {times.size(file.size)}"]
    ]
    if file.mime in SOUNDS:
        sound = h.audio(f"#sound-{file.id}", src=f"{address}/sound", controls=True, preload="none", aria_label=told)
        return h.div(".sound")[sound, download]
    return download


# ---------------------------------------------------------------------------------------------------------- events
def _event(event: RequestEvent, looks: Looks) -> h.Element | None:
    told = _told(event, looks)
    if told is None:
        return None
    return h.p(f"#event-{event.id}.event")[
        h.span[told],
        " ",
        h.time(datetime=event.at.isoformat(), title=times.day_and_time(event.at, looks.pack.zone, looks.now))[
            times.clock(event.at, looks.pack.zone)
        ],
    ]


def _told(event: RequestEvent, looks: Looks) -> str | None:
    """What happened, in words; None where the lines around it say it already."""
    data, who = event.data, looks.titles.get(event.agent or "", event.agent or "")
    by = f": {who}" if who else ""
    match event.kind:
        case "replied" | "noted" | "held" | "sent_again":
            return None
        case "appended":
            return f"Дополнено: {data['why']}" if data.get("why") else None
        case "opened":
            return f"Обращение открыто, очередь «{_queue(looks.pack, data.get('queue'))}»"
        case "transferred" if data.get("to"):
            return f"Передано{by} → {looks.titles.get(data['to'], data['to'])}"
        case "transferred":
            return f"Передано{by} → «{_queue(looks.pack, data.get('queue'))}»"
        case "waiting_customer":
            until = _moment(data.get("until"), looks)
            return f"Ждём клиента{f' до {until}' if until else ''}{by}"
        case "solved":
            ended = "Решено" if data.get("resolution") == "solved" else "Завершено без решения"
            return f"{ended}{by}"
        case "prioritised":
            to = words.PRIORITIES.get(str(data.get("to")), "")
            why = f". {data['reason']}" if data.get("reason") else ""
            return f"Приоритет «{to}»{by}{why}"
        case "assigned" if data.get("given"):
            return f"Назначено{by}"
        case "joined":
            return f"Сюда присоединено {data.get('request', 'другое обращение')}{by}"
        case "joined_into":
            return f"Присоединено к {data.get('into', 'другому обращению')}{by}"
        case "called":
            return f"Клиенту позвонили{by}"
        case "marked":
            return f"Клиент поставил оценку {data.get('mark')}" if data.get("mark") else "Клиент поставил оценку"
    return f"{EVENTS[event.kind]}{by}" if event.kind in EVENTS else None


EVENTS = {
    "assigned": "Взято в работу", "declined": "Возвращено в очередь", "resumed": "Снова в работе",
    "reopened": "Клиент вернулся, обращение снова открыто", "closed": "Закрыто", "cancelled": "Клиент отменил обращение",
    "shift_over": "Смена закончилась, обращение вернулось в очередь", "away": "Специалист не на связи, обращение вернулось в очередь",
    "wait_over": "Срок ожидания клиента вышел", "claim_over": "Личный менеджер не взял, обращение для всех",
    "overdue": "Обещанный срок прошёл", "warned": "Скоро выйдет срок первого ответа", "breached": "Срок первого ответа вышел",
    "spam": "Отмечено как спам", "not_spam": "Отметка «спам» снята", "case_opened": "Создана задача", "call_promised": "Обещан звонок",
    "stepped_in": "Старший взял на себя", "queue_opened": "Очередь открылась", "mark_commented": "Клиент пояснил оценку",
}  # fmt: skip


def _queue(pack: flows.Pack, name: object) -> str:
    queue = pack.queues.get(str(name))
    return queue.title if queue else str(name)


def _moment(value: object, looks: Looks) -> str | None:
    try:
        return times.day_and_time(datetime.fromisoformat(str(value)), looks.pack.zone, looks.now) if value else None
    except ValueError:
        return None
