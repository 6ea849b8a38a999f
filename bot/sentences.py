"""What an agent reads, in Russian, when an action is not possible, and when something happens to a request of theirs.

Each error that an agent may meet has its sentence here; a test sees to it. All desks (browser, messenger) say the same.
"""

from __future__ import annotations

from bot import errors

DEFAULT = "Не получилось. Обновите страницу и попробуйте ещё раз."
SENTENCES: dict[type[errors.FirstlineError], str] = {
    errors.Refused: "Сейчас это сделать нельзя.",
    errors.Invalid: "Так нельзя: проверьте, что введено.",
    errors.NotFound: "Такого здесь нет.",
    errors.AgentUnknown: "Такого сотрудника нет.",
    errors.ConversationUnknown: "Такого разговора нет.",
    errors.RequestUnknown: "Обращения с таким номером нет.",
    errors.FileUnknown: "Такого вложения нет.",
    errors.FileGone: "Вложение не сохранилось.",
    errors.FileNotTaken: "Такие файлы отправить нельзя.",
    errors.FileTooBig: "Файл слишком большой.",
    errors.DayFull: "На сегодня файлов слишком много.",
    errors.FileStoreUnavailable: "Хранилище файлов не отвечает. Попробуйте через минуту.",
    errors.StoreUnavailable: "База данных не отвечает. Попробуйте через минуту.",
    errors.CrmUnavailable: "CRM не отвечает. Попробуйте через минуту.",
    # taking
    errors.OffShift: "Вы не на смене. Начните смену и повторите.",
    errors.NothingToTake: "В ваших очередях никого нет.",
    errors.RequestTaken: "Обращение уже взял другой специалист.",
    errors.RequestReserved: "Сначала его может взять личный менеджер клиента. Попробуйте через минуту.",
    errors.NotYourQueue: "Это обращение стоит в очереди, которую вы не ведёте.",
    errors.NotYourRequest: "Обращение сейчас не у вас.",
    errors.RequestGone: "Обращение уже закрыто или снято.",
    errors.AlreadyYours: "Обращение и так у этого специалиста.",
    errors.AlreadyJoined: "Специалист уже подключился.",
    errors.NotRead: "Сначала откройте обращение и прочитайте сводку.",
    errors.SupervisorsOnly: "Это может только старший смены.",
    errors.NotInHand: "Обращение ни у кого не в работе, его можно просто взять.",
    # passing
    errors.QueueUnknown: "Выберите очередь из списка.",
    errors.TargetOffShift: "Этот специалист не на смене.",
    errors.CommentMissing: "Напишите комментарий для того, кто возьмёт обращение.",
    errors.EscalationNotOffered: "Решённое обращение не передают: укажите «Не решено».",
    errors.CategoryMissing: "Укажите тему обращения.",
    errors.ReasonMissing: "Укажите причину передачи.",
    # ending, waiting
    errors.ResolutionUnknown: "Выберите: решено или не решено.",
    errors.TimeOver: "Это время уже прошло, выберите более позднее.",
    errors.TimeTooFar: "Слишком далеко: выберите время в ближайшие три месяца.",
    errors.NotWaiting: "Обращение и так в работе.",
    errors.NotSpam: "Этот чат не отмечен как спам.",
    errors.AlreadySent: "Сообщение уже отправлено или отправляется.",
    errors.CustomerWrote: "Клиент успел написать: сначала прочитайте его сообщение.",
    # cases, calls, priority, joining
    errors.CaseCategoryUnknown: "Выберите вид задачи из списка.",
    errors.CaseCommentMissing: "Опишите, что нужно сделать.",
    errors.PhoneInvalid: "Проверьте номер: по такому не дозвониться.",
    errors.PhoneNotConfirmed: "Уточните номер и время у клиента и отметьте, что он подтвердил.",
    errors.NoCall: "Звонок по этому обращению не обещан.",
    errors.PriorityUnknown: "Выберите приоритет из списка.",
    errors.PriorityReasonMissing: "Напишите, почему меняется приоритет.",
    errors.NotSameCustomer: "Это обращения разных клиентов, или неизвестно, что клиент один.",
    errors.JoinedToItself: "Выберите другое обращение.",
    errors.InOtherHands: "Второе обращение сейчас у другого специалиста.",
    # accounts
    errors.SignInRefused: "Имя или пароль не подходят.",
    errors.SignInHeldUp: "Слишком много попыток. Подождите немного и попробуйте снова.",
    errors.PasswordRefused: "Такой пароль не подойдёт.",
    errors.PasswordShort: "Нужно хотя бы 10 знаков.",
    errors.PasswordLong: "Не длиннее 200 знаков.",
    errors.PasswordCommon: "Этот пароль слишком простой: такие подбирают первыми. Хорошо подходят три-четыре слова подряд.",
    errors.PasswordIsName: "Пароль не должен совпадать с именем.",
    errors.PasswordSame: "Новый пароль такой же, как прежний.",
    errors.PasswordWrong: "Нынешний пароль введён неверно.",
    errors.AgentInvalid: "Проверьте данные сотрудника.",
    errors.NameInvalid: "В имени для входа только буквы, цифры и знаки . _ @ -, не больше 64.",
    errors.AgentExists: "Такое имя для входа уже занято.",
    errors.TitleInvalid: "Укажите имя, которое увидят клиенты: от 1 до 80 знаков.",
    errors.RoleUnknown: "Выберите роль из списка.",
    errors.CapacityInvalid: "Укажите число от 0 до 100.",
    errors.TelegramIdInvalid: "Нужен числовой идентификатор Telegram, а не имя.",
    errors.TelegramIdTaken: "Этот Telegram уже у другого сотрудника.",
    errors.NotYourself: "Свою учётную запись нельзя отключить или лишить роли администратора.",
    # undoing
    errors.PlannedAlready: "По этому обращению уже выполняется другое действие. Отмените его или подождите пару секунд.",
    errors.NothingToUndo: "Отменить не получится: уже выполнено.",
}


def sentence(error: BaseException | type[BaseException]) -> str:
    """What an agent reads for an error: its own sentence, or the nearest parent's."""
    kind = error if isinstance(error, type) else type(error)
    return next((SENTENCES[one] for one in kind.__mro__ if one in SENTENCES), DEFAULT)


def took_over(title: str, number: str) -> str:
    """For the agent whose request a supervisor has taken over."""
    return f"{title}: теперь обращение {number} у меня, с клиентом говорить больше не нужно."


def passed_on(title: str, number: str) -> str:
    """For the agent to whom a colleague has passed a request."""
    return f"{title} передаёт вам обращение {number}."


def not_done(number: str, error: BaseException) -> str:
    """For the agent whose action could no longer be done when its time came."""
    said = sentence(error)
    return f"{number}: {said[:1].lower()}{said[1:]}"


def broken(number: str) -> str:
    """For the agent whose action failed for reasons of ours."""
    return f"{number}: действие не выполнено из-за ошибки, попробуйте ещё раз."
