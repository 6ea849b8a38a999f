"""The API's own description (OpenAPI 3.1): what FastAPI knows of the routes, and what it does not: problems, the key,
examples, how one call leads to the next. It holds no data and is served to everybody.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from bot import errors
from bot.errors import FirstlineError
from bot.web.api_gate import MEDIA, CallTooLarge, CallTooSlow, told
from bot.web.api_shapes import Problem, Wrong

ABOUT = """Read requests and work on them from an outside help desk.

A key (`firstline key add NAME --as AGENT`) works in the name of an agent and with this agent's rights. What the agent may not
do now is refused with status 409 and its reason. Each call that changes something needs an `Idempotency-Key`: repeated with
the same key it is answered the same, and nothing is done twice. Errors are problems (RFC 9457); programs go by `type`.
"""
COMMON: dict[int, type[FirstlineError]] = {
    401: errors.KeyRefused, 408: CallTooSlow, 413: CallTooLarge, 429: errors.TooManyCalls, 503: errors.StoreUnavailable,
}  # fmt: skip
"""What any call may be answered."""
OF_ONE: dict[int, type[FirstlineError]] = {404: errors.RequestUnknown}
WORK: dict[int, type[FirstlineError]] = {403: errors.RoleRefused, 409: errors.RequestTaken}
BESIDE: dict[str, dict[int, type[FirstlineError]]] = {
    "listRequests": {}, "getRequest": OF_ONE, "listLines": OF_ONE,
    "getAttachment": {404: errors.FileUnknown, 410: errors.FileGone},
    **dict.fromkeys(
        (
            "takeRequest", "replyToCustomer", "writeNote", "resolveRequest", "transferRequest", "waitForCustomer"
        ), OF_ONE | WORK,
    ),
    "setShift": WORK,
}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "replyToCustomer": {"a reply": {"text": "Здравствуйте! Проверила: посылка уже в вашем отделении."}},
    "writeNote": {"a note": {"text": "Курьер подтвердил вручение, жду фото накладной."}},
    "resolveRequest": {
        "solved": {"resolution": "solved"},
        "another topic": {"resolution": "solved", "category": "order_status", "text": "Посылка найдена в отделении."},
    },
    "transferRequest": {
        "to a queue": {"queue": "general", "comment": "Нужен возврат за доставку, чек приложен."},
        "to a colleague": {"agent": "anna", "comment": "Клиент ждёт звонка после обеда."},
    },
    "waitForCustomer": {"as usual": {}, "until a moment": {"until": "2026-12-01T09:00:00+03:00"}},
    "setShift": {"begin": {"on_shift": True}},
}
SHORT = {
    "number": "T-1001", "state": "assigned", "queue": "general", "priority": "normal", "topic": "order_status",
    "category": None, "due": None, "task": False, "vip": False, "channel": "telegram",
    "customer": {"name": "Мария", "id": "c-17"}, "agent": "helpdesk", "orders": ["48213"],
    "opened_at": "2026-11-20T09:00:00Z", "target_at": "2026-11-20T09:05:00Z", "taken_at": "2026-11-20T09:01:10Z",
    "answered_at": None, "wait_until": None, "solved_at": None, "ended_at": None, "resolution": None, "overdue": False,
    "breached": False, "mark": None,
}  # fmt: skip
LINE = {
    "id": 7, "at": "2026-11-20T08:59:50Z", "from": "customer", "agent": None, "text": "Где мой заказ?", "edited": False,
    "delivery": None,
    "attachments": [
        {"id": 3, "kind": "photo", "name": None, "state": "kept", "size": 48213, "mime": "image/jpeg"},
    ],
}  # fmt: skip
REPLY = LINE | {
    "id": 9,
    "from": "agent",
    "agent": "Анна",
    "text": "Сейчас посмотрю.",
    "delivery": "pending",
    "attachments": [],
}
FULL = SHORT | {
    "comment": "Тема: Где заказ\nКлиент пишет: «Где мой заказ?»\nДальше: проверить доставку",
    "summary": {"request": "T-1001", "topic": "order_status", "wants": "Где мой заказ?", "mood": "calm"},
    "transcript": [LINE], "earlier": None,
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "listRequests": {"requests": [SHORT], "next": "41"}, "getRequest": FULL, "takeRequest": FULL,
    "listLines": {"lines": [LINE], "earlier": None}, "replyToCustomer": {"line": REPLY, "request": SHORT},
    "writeNote": {"line": REPLY | {"from": "note", "delivery": None}, "request": SHORT},
    "resolveRequest": SHORT | {"state": "solved", "agent": None, "resolution": "solved"},
    "transferRequest": SHORT | {"state": "queued", "agent": None},
    "waitForCustomer": SHORT | {"state": "waiting_customer", "wait_until": "2026-12-01T06:00:00Z"},
    "setShift": {"agent": "helpdesk", "on_shift": True},
}  # fmt: skip
NEXT = (
    "getRequest",
    "listLines",
    "takeRequest",
    "replyToCustomer",
    "writeNote",
    "resolveRequest",
    "transferRequest",
    "waitForCustomer",
)
"""Calls that a request's number leads to."""
HEADERS = {
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "WWW-Authenticate": {"description": "How to sign in.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "true: the same call was answered so before, and nothing was done now.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


def described(app: FastAPI, prefix: str) -> None:
    """Let an app describe itself in full."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, prefix)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, prefix: str) -> dict[str, Any]:
    made = get_openapi(
        title="Firstline", version=version("firstline"), summary="Requests of customers, for outside help desks.",
        description=ABOUT, routes=app.routes, servers=[{"url": prefix}],
    )  # fmt: skip
    made["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    parts = made.setdefault("components", {})
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: flk_…"}
    }  # fmt: skip
    made["security"] = [{"key": []}]
    shapes = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        shapes.pop(name, None)
    for model in (Wrong, Problem):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        shapes[model.__name__] = schema
    parts["headers"] = HEADERS
    for path in made["paths"].values():
        for operation in path.values():
            _complete(operation)
    return made


def _complete(operation: dict[str, Any]) -> None:
    """Add to an operation what it may be answered, examples, and what may come next."""
    name, responses = operation["operationId"], operation["responses"]
    operation["summary"] = re.split(r"[.:,] ?", operation["description"], maxsplit=1)[0]
    for parameter in operation.get("parameters", ()):
        _without_null(parameter["schema"])
    responses.pop("422", None)
    good = responses["200"]
    if name == "getAttachment":
        good["description"] = "The bytes, as something to save."
        good["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    else:
        good["description"] = "Done." if name in BODIES or name == "takeRequest" else "What was asked for."
        good["content"]["application/json"]["example"] = ANSWERS[name]
    works = 403 in BESIDE[name]
    if works:
        good["headers"] = {"Idempotency-Replayed": {"$ref": "#/components/headers/Idempotency-Replayed"}}
    for status, error in sorted((COMMON | BESIDE[name]).items()):
        responses[str(status)] = _problem(error, replayed=works and status in (404, 409))
    responses["422"] = _invalid()
    if name in BODIES:
        examples = {key.replace(" ", "-"): {"summary": key, "value": one} for key, one in BODIES[name].items()}
        operation["requestBody"]["content"]["application/json"]["examples"] = examples
    if name in ("listRequests", "getRequest", "takeRequest"):
        place = "$response.body#/requests/0/number" if name == "listRequests" else "$response.body#/number"
        good["links"] = {one: {"operationId": one, "parameters": {"number": place}} for one in NEXT if one != name}


def _without_null(schema: dict[str, Any]) -> None:
    """What stands in an address is there or not: it is never null."""
    there = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(there) == 1:
        del schema["anyOf"]
        schema |= there[0]


def _problem(error: type[FirstlineError], *, replayed: bool) -> dict[str, Any]:
    seen = error(after=1.0) if error is errors.TooManyCalls else error()
    example = {key: value for key, value in told(seen).items() if value is not None}
    made = _answer(example["title"] + ".", example)
    names = ["WWW-Authenticate"] if error.status == 401 else ["Retry-After"] if error.status in (429, 503) else []
    names += ["Idempotency-Replayed"] if replayed else []
    if names:
        made["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return made


def _invalid() -> dict[str, Any]:
    example = {
        "type": "urn:firstline:problem:call-invalid", "title": "The call is not valid", "status": 422,
        "detail": "body.text: Field required", "errors": [{"place": "body.text", "text": "Field required"}],
    }  # fmt: skip
    return _answer("The call is not valid: all that is wrong with it is told at once.", example)


def _answer(about: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": about, "content": {MEDIA: {"schema": schema, "example": example}}}
