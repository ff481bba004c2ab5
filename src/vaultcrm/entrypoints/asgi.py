"""The web application: JSON API and console over one set of parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from vaultcrm import __version__
from vaultcrm.bootstrap import open_parts
from vaultcrm.entrypoints.api import (
    ai_routes,
    control_routes,
    conversation_routes,
    directory_routes,
    document,
    problems,
)
from vaultcrm.entrypoints.api.body_limit import BodyLimit
from vaultcrm.entrypoints.web import console
from vaultcrm.settings import Settings, load_settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Parts are opened when the server starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_parts(settings or load_settings()) as parts:
            app.state.parts = parts
            yield

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
    for routes in (ai_routes, directory_routes, conversation_routes, control_routes):
        app.include_router(routes.router)
    console.install(app)
    return app
