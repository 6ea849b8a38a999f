"""The box in which an agent writes: a reply or a note, with quick phrases, patience phrases, files, and a kept draft."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import htpy as h

import flows
from bot.console.action_bar import Can
from bot.console.seat import Seat
from bot.console.shell import ago, form_token
from bot.dossier import Dossier
from bot.models import Draft, Request

REMIND_SECONDS = 120
"""How long a customer who was asked for patience waits until the agent is reminded (L2-11)."""


def box(dossier: Dossier, allowed: Can, seat: Seat, pack: flows.Pack, draft: Draft | None) -> h.Element:
    """The whole box. What changes by itself in it are `state` and `clock`; what is being written is never touched."""
    number = dossier.request.number
    internal = allowed.note or (draft is not None and draft.internal)
    kind = " ".join(filter(None, ["note" if internal else "", "only-note" if allowed.note else ""]))
    address = f"/desk/requests/{number}/reply"
    return h.section("#reply", aria_label="Ответ", data_number=number)[
        h.button("#new-lines", type="button", hidden=True)["Новые сообщения ↓"],
        state(allowed),
        h.form(
            "#reply-form", class_=kind or None, method="post", action=address, enctype="multipart/form-data",
            hx_post=address, hx_encoding="multipart/form-data", hx_swap="none", hx_disabled_elt="#reply-send",
            hidden=not (allowed.answer or allowed.note) and draft is None,
        )[
            form_token(seat),
            nonce(),
            h.div("#reply-warning", aria_live="assertive"),
            h.div(".reply-top")[
                h.fieldset(".modes")[
                    h.legend(".visually-hidden")["Кому"],
                    _mode("reply", "Ответ клиенту", not internal),
                    _mode("note", "Заметка", internal),
                ],
                h.p(".only")["Заметка коллегам. Клиент её не увидит"],
                holds(pack),
                clock(dossier, allowed),
            ],
            h.div(".field")[
                h.label(".visually-hidden", for_="reply-text")["Текст ответа или заметки"],
                h.textarea(
                    "#reply-text", name="text", rows="3", lang="ru", spellcheck="true", autocomplete="off", maxlength="20000",
                    aria_describedby="reply-hint", data_key="e", data_key_title="Писать заметку" if allowed.note else "Писать ответ",
                    placeholder="Заметка для коллег. Клиент её не увидит" if internal else "Ответ клиенту, «/» — готовые фразы",
                )["\n", draft.text if draft else ""],
                _palette(number),
            ],
            h.ul("#reply-files", aria_label="Файлы к ответу", hidden=True),
            h.div(".reply-bottom")[
                h.button("#quick-open", type="button", aria_haspopup="dialog", aria_controls="quick")[
                    "Фразы", h.kbd(aria_hidden="true")["/"]
                ],
                h.label(".button.attach")[
                    "Файл", h.input("#reply-file.visually-hidden", type="file", name="file", multiple=True)
                ],
                h.span("#reply-saved.dim.small", role="status"),
                h.span("#reply-hint.dim.small")["Ctrl+Enter отправляет"],
                h.button("#reply-send.primary")["Сохранить заметку" if internal else "Отправить"],
            ],
        ],
    ]  # fmt: skip


def _mode(value: str, title: str, chosen: bool) -> h.Element:
    return h.label[h.input(type="radio", name="mode", value=value, checked=chosen), h.span[title]]


def nonce() -> h.Element:
    """The mark of one reply: what is sent twice under it is sent once."""
    return h.span("#reply-nonce", hidden=True)[h.input(type="hidden", name="nonce", value=secrets.token_urlsafe(12))]


def state(allowed: Can) -> h.Element:
    """Why one cannot answer now; by it the page's script shows the form, for notes only or not at all, and never loses what
    was written."""
    told = None if allowed.answer else h.p[allowed.why_not]
    can, note = str(allowed.answer).lower(), str(allowed.note).lower()
    return h.div("#reply-state", data_answer=can, data_note=note, role="status")[told]


def clock(dossier: Dossier, allowed: Can) -> h.Element:
    """How long the customer has waited since they were asked for patience, or since their first line without an answer."""
    waiting = dossier.waiting
    if waiting is None or not allowed.answer:
        return h.span("#reply-clock")
    since = waiting.since.isoformat()
    return h.span(
        "#reply-clock.dim.small", data_held=str(waiting.held).lower(), data_remind=str(REMIND_SECONDS), data_from=since
    )["попросили подождать " if waiting.held else "клиент ждёт ", ago(since, late_after=REMIND_SECONDS // 60)]


def holds(pack: flows.Pack) -> h.Element | None:
    """Phrases that ask for patience, sent by one click (L2-11)."""
    there = [(name, one) for name, one in pack.quick.items() if one.hold]
    return (
        h.div(".holds", role="group", aria_label="Попросить подождать")[
            [
                h.button(".plain.small", type="button", data_hold=name, title=f"Отправить сразу: «{one.text[0]}»")[
                    one.title
                ]
                for name, one in there
            ]
        ]
        if there
        else None
    )


def _palette(number: str) -> h.Element:
    """The list of quick phrases: a field with a list below it, filled by the page's script."""
    return h.div("#quick", role="dialog", aria_label="Готовые фразы", hidden=True, data_from=f"/desk/requests/{number}/quick")[
        h.input(
            "#quick-find", type="text", role="combobox", aria_label="Найти фразу", aria_expanded="true",
            aria_controls="quick-list", aria_autocomplete="list", autocomplete="off", placeholder="Несколько букв названия или текста",
        ),
        h.ul("#quick-list", role="listbox", aria_label="Фразы"),
        h.p("#quick-none.dim", role="status"),
    ]  # fmt: skip


def warning(answers: Sequence[tuple[str, str]], text: str) -> h.Element:
    """What the reply asks though it is known (L2-12), with the choice to send it all the same."""
    told = [h.li[h.b[title], f": {answer}" if answer else None] for title, answer in answers]
    return h.div("#reply-warning", aria_live="assertive", hx_swap_oob="morph")[
        h.div(".warned", role="alert")[
            h.p["Клиент уже отвечал:"],
            h.ul[told],
            h.div(".actions")[
                h.button(".danger", name="anyway", value="1")["Всё равно отправить"],
                h.button(type="button", data_warning_off=True)["Исправить"],
            ],
        ]
    ]


def no_warning() -> h.Element:
    """The warning gone."""
    return h.div("#reply-warning", aria_live="assertive", hx_swap_oob="morph")


def of_request(request: Request) -> str:
    """The address of a request's page."""
    return f"/desk/requests/{request.number}"
