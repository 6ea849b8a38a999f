"""The dialogs of the desk's actions: what each asks, and what it makes of the answers.

`fields` draws a form's fields from the request as it is now, `read` turns what was sent into the arguments of the action.
An action itself checks what it gets (`bot.desk`); `FIELDS` says at which field its refusal is shown.
"""

from __future__ import annotations

from bot import errors
from bot.console import forms_passing as passing
from bot.console import forms_work as work
from bot.console.around import Around as Around
from bot.console.around import Form as Form
from bot.sentences import sentence

FIELDS: dict[type[errors.FirstlineError], str] = {
    errors.CommentMissing: "comment", errors.CaseCommentMissing: "comment", errors.QueueUnknown: "target",
    errors.AgentUnknown: "target", errors.TargetOffShift: "target", errors.AlreadyYours: "target",
    errors.TimeOver: "when", errors.TimeTooFar: "when", errors.PhoneInvalid: "phone_other",
    errors.PhoneNotConfirmed: "confirmed", errors.CaseCategoryUnknown: "category", errors.PriorityUnknown: "priority",
    errors.PriorityReasonMissing: "reason", errors.RequestUnknown: "other", errors.NotSameCustomer: "other",
    errors.JoinedToItself: "other", errors.InOtherHands: "other", errors.ResolutionUnknown: "resolution",
}  # fmt: skip
"""The field that a refusal is about; any other is said above the form."""


FORMS: dict[str, Form] = {
    "give-back": Form(
        title="Вернуть в очередь", button="Вернуть", action="decline", fields=passing.decline, read=passing.read_decline
    ),
    "transfer": Form(
        title="Передать обращение", button="Передать", action="transfer", fields=passing.transfer, read=passing.read_transfer
    ),
    "resolve": Form(
        title="Завершить обращение", button="Завершить", action="resolve", fields=work.resolve, read=work.read_resolve
    ),
    "wait": Form(title="Ждать клиента", button="Ждать", action="wait", fields=work.wait, read=work.read_wait),
    "case": Form(title="Новая задача", button="Создать", action="open_case", fields=work.case, read=work.read_case),
    "call-back": Form(
        title="Перезвонить клиенту", button="Записать звонок", action="call_back", fields=work.call_back,
        read=work.read_call_back,
    ),
    "called": Form(title="Звонок сделан", button="Сохранить", action="called", fields=work.called, read=work.read_called),
    "priority": Form(
        title="Изменить приоритет", button="Изменить", action="prioritise", fields=passing.priority, read=passing.read_priority
    ),
    "join": Form(title="Объединить обращения", button="Объединить", action="join", fields=passing.join, read=passing.read_join),
    "spam": Form(title="Отметить как спам", button="Это спам", action="spam", fields=passing.spam, read=passing.nothing, danger=True),
    "step-in": Form(
        title="Взять обращение на себя", button="Взять на себя", action="step_in", fields=passing.step_in, read=passing.nothing
    ),
}  # fmt: skip
SAME = {"decline": "give-back", "callback": "call-back", "step_in": "step-in", "call_back": "call-back"}
"""Other names under which pages ask for a dialog."""


def named(name: str) -> Form | None:
    """The form of an action's name in an address."""
    return FORMS.get(SAME.get(name, name))


def wrong(error: errors.FirstlineError) -> tuple[str, str]:
    """The field that an error is about ("" for none), and its sentence."""
    field = next((FIELDS[kind] for kind in type(error).__mro__ if kind in FIELDS), "")
    return field, sentence(error)
