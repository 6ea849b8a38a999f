"""The FastAPI app of a process: webhooks, health, metrics, the desk, the API for outside help desks."""

from __future__ import annotations

from fastapi import FastAPI, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot import console, metrics
from bot.web import api
from bot.web.figures import snapshot
from bot.web.health import health
from bot.web.hooks import hooks
from bot.web.parts import Parts


def make_app(parts: Parts) -> FastAPI:
    """Make the app of a process. It describes itself to nobody: no pages of documentation, no schema."""
    app = FastAPI(title="Firstline", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(hooks(parts))
    app.include_router(health(parts))

    if parts.console is not None:
        console.mount(app, parts.console)
        api.mount(app, parts.console)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(metrics.render(await snapshot(parts)), media_type=CONTENT_TYPE_LATEST)

    return app
