"""What agents are told in a group, in Russian: why something was not done, and how it is done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import errors, sentences
from bot.models import Agent, ForumTopic, Request

DONE = "Готово"
BUTTON_GONE = "Эта кнопка больше не работает."
EDITED = "Правка клиенту не ушла: он видит прежний текст. Отправьте исправление новым сообщением."
NOTE_EMPTY = "Напишите заметку после команды: /note текст, или начните сообщение с //."
NO_FILE_IN_NOTE = "Файл к заметке приложить нельзя, заметка не сохранена. Без // файл уйдёт клиенту."
NO_SUCH_COMMAND = "Такой команды нет, клиенту ничего не ушло. Что можно: /help"
ONLY_IN_TOPIC = "Эта команда работает в теме обращения."
TAKE_FIRST = "Сначала возьмите обращение: /take"
SHIFT_ON = "Вы на смене. Чтобы взять следующее обращение, напишите /take."
SHIFT_OFF = "Смена закончена. То, что было в работе, вернулось в очередь."
HOW_TO_TRANSFER = (
    "Напишите в теме: /transfer очередь или имя коллеги, потом комментарий. Список очередей покажет /transfer."
)
HOW_TO_GIVE_BACK = "Напишите в теме: /back и причину. Её увидят только коллеги."
HOW_TO_WAIT = "Не понял, до какого времени ждать. Так: /wait 3ч, /wait 25.11 или /wait 25.11 14:00."
FAULT = "Не получилось: внутренняя ошибка. Клиенту ничего не ушло, попробуйте с рабочего места в браузере."
HELP = """<b>В теме обращения</b>
Просто напишите: сообщение уйдёт клиенту. Свободное обращение при этом станет вашим.
// или /note — заметка, клиент её не увидит
/take — взять
/transfer очередь или имя, комментарий — передать
/wait — ждать клиента, можно с временем: /wait 3ч, /wait 25.11 14:00
/resolve решение — завершить; /resolve нет — завершить без решения
/back причина — вернуть в очередь

<b>В общей теме</b>
/take — взять следующее
/on и /off — начать и закончить смену

👍 под вашим сообщением: клиенту доставлено, ✍ — сохранено как заметка."""


def stranger(author: str | None) -> str:
    """What somebody is told whom we do not know."""
    if author is None:
        return "Вы пишете от имени группы, поэтому ничего не отправлено. Отключите анонимность в правах администратора."
    return f"Я вас не знаю, поэтому ничего не отправлено. Ваш номер в Telegram: {author}. Попросите администратора добавить его."


def taken(number: str, chat: str, thread: str | None, *, here: bool) -> str:
    """Where the request is that an agent took in the general topic. `here`: this group shows its queue."""
    if not here:
        return f"Ваше обращение: {escape(number)}. Его очередь ведут не в этой группе: смотрите на рабочем месте в браузере."
    if thread is None:
        return f"Ваше обращение: {escape(number)}. Тема для него сейчас появится."
    link = f"https://t.me/c/{chat.removeprefix('-100')}/{thread}"
    return f'Ваше обращение: <a href="{link}">{escape(number)}</a>'


def file_not_sent(why: str) -> str:
    """Why an agent's file did not go to the customer."""
    told = {"too_big": "он слишком большой", "kind": "такие файлы не отправляются"}.get(why, "его не удалось получить")
    return f"Файл клиенту не ушёл: {told}. Подпись тоже не отправлена."


_WHY: dict[type[errors.FirstlineError], str] = {
    errors.OffShift: "Вы не на смене, ничего не отправлено. Начать: /on",
    errors.RequestGone: "Обращение завершено, клиенту ничего не ушло. Если клиент напишет, оно откроется снова.",
    errors.CategoryMissing: "Для передачи нужна категория: передайте с рабочего места в браузере.",
    errors.ReasonMissing: "Для передачи нужна причина: передайте с рабочего места в браузере.",
    errors.QueueUnknown: "Такой очереди нет. Список покажет /transfer.",
    errors.NotRead: "Сначала возьмите обращение: /take",
}
"""Where a group has other ways than a browser; all else is said as on the web desk (`bot.sentences`)."""


async def why_not(session: AsyncSession, error: errors.FirstlineError, chat: str, thread: str | None) -> str:
    """Why something was refused, in a sentence for the agent (HTML)."""
    if isinstance(error, No):
        return str(error)
    if isinstance(error, errors.RequestTaken | errors.NotYourRequest):
        return await _whose(session, chat, thread)
    own = next((text for kind, text in _WHY.items() if isinstance(error, kind)), None)
    if own is not None:
        return own
    return escape(sentences.sentence(error), quote=False)


class No(errors.Refused):
    """Something that cannot be done, in words for the agent."""


async def _whose(session: AsyncSession, chat: str, thread: str | None) -> str:
    """Whose the request of a topic is."""
    title = await session.scalar(
        select(Agent.title)
        .join(Request, Request.agent_id == Agent.id)
        .join(ForumTopic, ForumTopic.request_id == Request.id)
        .where(ForumTopic.chat == chat, ForumTopic.thread == thread)
    )
    if title is None:
        return "Обращение ещё ничьё: возьмите его, /take"
    return f"Обращение у другого специалиста ({escape(title)}), клиенту ничего не ушло. Попросите передать его вам."


# ------------------------------------------------------------------------------------------------------- passing it on
def addressee(said: str, pack: flows.Pack, colleagues: Sequence[Agent]) -> tuple[str | None, str | None, str] | None:
    """Whom a request is passed on to, and the comment: (queue, None, comment) or (None, agent's name, comment).

    Queues and people are named as they are listed: by number, by name, or by title. None: nobody is.
    """
    said = said.strip()
    names: list[tuple[str, str | None, str | None]] = []
    for number, (name, title) in enumerate(_queues(pack), start=1):
        names += [(str(number), name, None), (name, name, None), (title, name, None)]
    for one in colleagues:
        names += [(one.name, None, one.name), (f"@{one.name}", None, one.name), (one.title, None, one.name)]
    for called, queue, to in sorted(names, key=lambda one: -len(one[0])):  # the longest that fits is meant
        found = re.match(rf"«?{re.escape(called)}»?(?=$|[\s,.:;])[\s,.:;]*", said, re.IGNORECASE)
        if found:
            return queue, to, said[found.end() :].strip()
    return None


def whom_to(pack: flows.Pack, colleagues: Sequence[Agent]) -> str:
    """How a request is passed on, and to whom it can be (HTML)."""
    listed = "\n".join(f"{number}. {escape(title)}" for number, (_, title) in enumerate(_queues(pack), start=1))
    people = ", ".join(escape(f"{one.title} (@{one.name})") for one in colleagues)
    told = f"Кому передать? Например: /transfer 2 клиент просит старшего\n\n{listed}"
    return told + (f"\n\nНа смене: {people}" if people else "")


def _queues(pack: flows.Pack) -> list[tuple[str, str]]:
    return [(name, queue.title) for name, queue in pack.queues.items()]
