"""The web application: JSON API and console over one set of parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from vaultcrm import __version__
from vaultcrm.bootstrap import open_parts
from vaultcrm.entrypoints.api import (
    ab_test_routes,
    ai_routes,
    alert_routes,
    channel_routes,
    control_routes,
    conversation_routes,
    delivery_routes,
    directory_routes,
    document,
    event_routes,
    import_routes,
    metric_routes,
    problems,
    queue_routes,
)
from vaultcrm.entrypoints.api.body_limit import BodyLimit
from vaultcrm.entrypoints.api.stopping import AnswerWhenStopped
from vaultcrm.entrypoints.web import console
from vaultcrm.entrypoints.web.conversation.drafting_routes import finish_drafts
from vaultcrm.entrypoints.web.frame.live import Live
from vaultcrm.settings import Settings, load_settings
from vaultcrm.workflows.alerting import clear_unknown_models

LAST_DRAFTS_SECONDS = 5.0

_ROUTES = (
    ai_routes,
    queue_routes,
    ab_test_routes,
    metric_routes,
    directory_routes,
    import_routes,
    conversation_routes,
    delivery_routes,
    channel_routes,
    control_routes,
    alert_routes,
    event_routes,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Parts are opened when the server starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_parts(settings or load_settings()) as parts:
            await clear_unknown_models(parts)
            app.state.parts = parts
            app.state.live = Live(parts)
            yield
            await finish_drafts(LAST_DRAFTS_SECONDS)

    app = FastAPI(
        title="VaultCRM",
        version=__version__,
        description="AI chat for creators' teams. Times are UTC, ids are UUIDs.",
        lifespan=lifespan,
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.install(app)
    document.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(AnswerWhenStopped)
    for routes in _ROUTES:
        app.include_router(routes.router)
    console.install(app)
    return app
