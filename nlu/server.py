"""The NLU as a small HTTP service: parse, health, reload; one process, one core.

    python -m nlu.server [--models DIR] [--model NAME] [--host 127.0.0.1] [--port 0]

Run with nlu's own Python from the repository's root. It serves the newest archive of the models folder, or the one
named. When it is ready it prints one JSON line: {"ready": true, "port": 40123, "model": "nlu-1a2b3c4d5e6f"}.
With FIRSTLINE_NLU_TOKEN set, all but GET /health need `Authorization: Bearer <token>`.

    POST /parse        {"text": "…", "now"?: ISO 8601, "clauses"?: bool}   one reading, with each request's own words
    POST /parse/batch  {"texts": ["…"], "now"?, "clauses"?}                {"readings": [...]}
    GET  /health                                                          {"ready": true, "model": "…"}
    POST /reload       {"model"?: NAME}                                   loads beside, then switches

What is wrong with a request comes back as {"error": "…"} with a 4xx status. Customers' words are never logged.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import logging
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from nlu.build import default_models
from nlu.threads import use_cores

if TYPE_CHECKING:
    from nlu.reader import Reader

log = logging.getLogger("nlu.server")

MAX_TEXT = 10_000
MAX_TEXTS = 256
MAX_BODY = 8 * 1024 * 1024
TOKEN_VARIABLE = "FIRSTLINE_NLU_TOKEN"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


class BadRequest(Exception):
    """The request is not one that can be answered."""

    def __init__(self, message: str, status: int = 400) -> None:
        """Keep the one sentence that the caller gets."""
        super().__init__(message)
        self.status = status


class NoModel(Exception):
    """There is no such trained model."""


def find_model(models: Path, name: str | None) -> Path:
    """Return the archive of that name, or the newest."""
    if name is not None:
        if not _NAME.fullmatch(name):
            raise NoModel("A model's name has only letters, digits, dots, dashes and underscores.")
        archive = models / f"{name.removesuffix('.tar.gz')}.tar.gz"
        if not archive.is_file():
            raise NoModel(f"There is no model {name!r}.")
        return archive
    archives = sorted(models.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not archives:
        raise NoModel("There is no trained model; `python -m nlu.build` makes one.")
    return archives[-1]


class Service:
    """The routes, around the reader of the moment."""

    def __init__(self, models: Path, token: str | None) -> None:
        """Make the service; `load` gives it a model."""
        self._models, self._token = models, token
        self._reader: Reader | None = None
        self._parsing = ThreadPoolExecutor(1, "parse")
        self._loading = ThreadPoolExecutor(1, "load")

    def application(self) -> web.Application:
        """Return the routes with the gate before them."""
        application = web.Application(client_max_size=MAX_BODY, middlewares=[self._gate])
        application.add_routes(
            [
                web.post("/parse", self.parse),
                web.post("/parse/batch", self.parse_batch),
                web.get("/health", self.health),
                web.post("/reload", self.reload),
            ]
        )
        return application

    async def load(self, name: str | None) -> str:
        """Load a model beside the one in use, then switch to it; return its name."""
        archive = find_model(self._models, name)
        self._reader = await asyncio.get_running_loop().run_in_executor(self._loading, _load, archive)
        log.info("model_loaded model=%s", self._reader.model)
        return self._reader.model

    async def parse(self, request: web.Request) -> web.Response:
        """Read one message."""
        body = await _body(request, {"text", "now", "clauses"})
        text, options = _text(body.get("text")), _options(body)
        [reading] = await self._read([text], options)
        return _json(reading)

    async def parse_batch(self, request: web.Request) -> web.Response:
        """Read several messages, each for itself."""
        body = await _body(request, {"texts", "now", "clauses"})
        texts = body.get("texts")
        if not isinstance(texts, list):
            raise BadRequest("texts must be a list of strings.")
        if len(texts) > MAX_TEXTS:
            raise BadRequest(f"texts may have at most {MAX_TEXTS} entries.", 413)
        return _json({"readings": await self._read([_text(text) for text in texts], _options(body))})

    async def health(self, request: web.Request) -> web.Response:
        """Tell whether messages can be read, and by which model."""
        ready = self._reader is not None
        return _json(
            {"ready": ready, "model": self._reader.model if self._reader else None}, status=200 if ready else 503
        )

    async def reload(self, request: web.Request) -> web.Response:
        """Switch to another model without a pause."""
        body = await _body(request, {"model"}, may_be_empty=True)
        name = body.get("model")
        if name is not None and not isinstance(name, str):
            raise BadRequest("model must be a string.")
        try:
            return _json({"model": await self.load(name)})
        except NoModel as missing:
            raise BadRequest(str(missing), 404) from missing

    async def _read(self, texts: list[str], options: dict[str, Any]) -> list[dict[str, Any]]:
        reader = self._reader
        if reader is None:
            raise BadRequest("The model is still loading.", 503)
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(self._parsing, partial(reader.read, text, **options)) for text in texts]

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Check the token, and answer every error with one sentence."""
        try:
            if self._token and request.path != "/health":
                given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
                if not hmac.compare_digest(given.encode(), self._token.encode()):
                    raise BadRequest("The bearer token is missing or wrong.", 401)
            response: web.StreamResponse = await handler(request)
            return response
        except BadRequest as wrong:
            return _json({"error": str(wrong)}, status=wrong.status)
        except web.HTTPException as wrong:
            return _json({"error": f"{wrong.reason}."}, status=wrong.status)
        except Exception as failed:  # the text may be in the exception: only its kind is logged
            log.error("request_failed path=%s error=%s", request.path, type(failed).__name__)
            return _json({"error": "The message could not be read."}, status=500)


def _load(archive: Path) -> Reader:
    from nlu.reader import Reader  # imports Rasa: 15 s, after the port is bound

    return Reader(archive)


async def _body(request: web.Request, keys: set[str], *, may_be_empty: bool = False) -> dict[str, Any]:
    raw = await request.read()
    if may_be_empty and not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as wrong:
        raise BadRequest("The body is not JSON.") from wrong
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    if unknown := sorted(set(body) - keys):
        raise BadRequest(f"Unknown key: {unknown[0][:50]}.")
    return body


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise BadRequest("text must be a string.")
    if len(text) > MAX_TEXT:
        raise BadRequest(f"text may have at most {MAX_TEXT} characters.", 413)
    return text.encode("utf-8", "replace").decode()  # lone surrogates cannot be encoded later


def _options(body: dict[str, Any]) -> dict[str, Any]:
    now, clauses = body.get("now"), body.get("clauses", True)
    if not isinstance(clauses, bool):
        raise BadRequest("clauses must be true or false.")
    if now is None:
        return {"now": None, "clauses": clauses}
    try:
        return {"now": datetime.fromisoformat(now.replace("Z", "+00:00")), "clauses": clauses}
    except (AttributeError, ValueError) as wrong:
        raise BadRequest("now must be a time in ISO 8601.") from wrong


def _json(content: Any, *, status: int = 200) -> web.Response:
    return web.json_response(content, status=status, dumps=lambda value: json.dumps(value, ensure_ascii=False))


async def serve(service: Service, host: str, port: int, model: str | None) -> None:
    """Load the model, listen, say so, and go on until stopped."""
    loaded = await service.load(model)
    runner = web.AppRunner(service.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    addresses = runner.addresses
    print(json.dumps({"ready": True, "port": addresses[0][1], "model": loaded}), flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m nlu.server", description="Serve the NLU over HTTP.")
    parser.add_argument("--models", type=Path, default=default_models(), help="folder of model archives")
    parser.add_argument("--model", help="name of the model to serve; otherwise the newest")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    arguments = parser.parse_args()
    use_cores(1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("rasa").setLevel(logging.WARNING)
    service = Service(arguments.models, os.environ.get(TOKEN_VARIABLE))
    try:
        asyncio.run(serve(service, arguments.host, arguments.port, arguments.model))
    except NoModel as missing:
        print(missing, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
