"""Why something was not done at the desk, in sentences for whoever tried it."""

from __future__ import annotations

from bot import errors

REFUSALS: dict[type[errors.FirstlineError], str] = {
    errors.OffShift: "Вы не на смене. Включите смену вверху страницы.",
    errors.NothingToTake: "Здесь уже нечего брать.",
    errors.RequestTaken: "Обращение уже взял другой специалист.",
    errors.RequestReserved: "Первую минуту обращение ждёт личного менеджера клиента.",
    errors.NotYourQueue: "Эта очередь не ваша.",
    errors.NotYourRequest: "Обращение сейчас не у вас.",
    errors.AlreadyYours: "Обращение уже у этого специалиста.",
    errors.RequestGone: "Обращение уже закрыто или отменено.",
    errors.NotRead: "Сначала откройте обращение и прочитайте сводку.",
    errors.AlreadySent: "Сообщение уже отправлено или отправляется.",
    errors.FileTooBig: "Файл слишком большой.",
    errors.FileNotTaken: "Такие файлы отправить нельзя. Подойдут фото, PDF, документы.",
    errors.FileStoreUnavailable: "Хранилище файлов не отвечает. Попробуйте ещё раз.",
    errors.FileUnknown: "Такого файла нет.",
    errors.FileGone: "Файла больше нет.",
}


def refusal(error: errors.FirstlineError) -> str:
    """Why something was not done, in a sentence for whoever tried it."""
    found = next((REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS), None)
    return found or "Не получилось: сейчас это действие недоступно."
