"""The web application: JSON API and console over one set of parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from vaultcrm import __version__
from vaultcrm.bootstrap import open_parts
from vaultcrm.entrypoints.api import (
    ab_test_routes,
    ai_routes,
    alert_routes,
    audit_routes,
    budget_routes,
    calibration_routes,
    care_routes,
    channel_routes,
    content_rule_routes,
    control_routes,
    conversation_routes,
    data_duty_routes,
    delivery_routes,
    directory_routes,
    disclosure_routes,
    document,
    event_routes,
    import_routes,
    learning_routes,
    metric_routes,
    monitoring_routes,
    outcome_routes,
    problems,
    queue_routes,
    rollout_routes,
)
from vaultcrm.entrypoints.api.body_limit import BodyLimit
from vaultcrm.entrypoints.api.stopping import AnswerWhenStopped
from vaultcrm.entrypoints.hardening import Deadline, SecurityHeaders
from vaultcrm.entrypoints.measuring import Measured
from vaultcrm.entrypoints.scoping import SeesNothingYet
from vaultcrm.entrypoints.tracing import start_tracing
from vaultcrm.entrypoints.web import console
from vaultcrm.entrypoints.web.conversation.drafting_routes import finish_drafts
from vaultcrm.entrypoints.web.frame import api_docs
from vaultcrm.entrypoints.web.frame.live import Live
from vaultcrm.settings import Settings, load_settings
from vaultcrm.workflows.alerting import clear_unknown_models
from vaultcrm.workflows.observe import WEB, observing

LAST_DRAFTS_SECONDS = 5.0

_ROUTES = (
    ai_routes,
    queue_routes,
    ab_test_routes,
    metric_routes,
    learning_routes,
    outcome_routes,
    directory_routes,
    import_routes,
    conversation_routes,
    delivery_routes,
    channel_routes,
    content_rule_routes,
    calibration_routes,
    care_routes,
    disclosure_routes,
    control_routes,
    budget_routes,
    audit_routes,
    alert_routes,
    event_routes,
    data_duty_routes,
    monitoring_routes,
    rollout_routes,
)


class _App(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        # Outside of what answers 500, which middleware that is added is not.
        return SeesNothingYet(SecurityHeaders(super().build_middleware_stack()))


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Parts are opened when the server starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        start_tracing()
        async with open_parts(settings or load_settings()) as parts:
            await clear_unknown_models(parts)
            app.state.parts = parts
            app.state.live = Live(parts)
            async with observing(parts, WEB), parts.token_uses.written(parts.pool):
                yield
                await finish_drafts(LAST_DRAFTS_SECONDS)

    app = _App(
        title="VaultCRM",
        version=__version__,
        description="AI chat for creators' teams. Times are UTC, ids are UUIDs.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.install(app)
    document.install(app)
    app.add_middleware(Deadline)
    app.add_middleware(BodyLimit)
    app.add_middleware(AnswerWhenStopped)
    app.add_middleware(Measured)
    for routes in _ROUTES:
        app.include_router(routes.router)
    api_docs.install(app)
    console.install(app)
    return app
