"""The console on an application."""

from fastapi import FastAPI

from vaultcrm.entrypoints.web import (
    account_routes,
    alert_routes,
    control_routes,
    conversation_routes,
    dashboard_routes,
    drafting_routes,
    errors,
    frame_routes,
    inbox_routes,
    live,
    personality_routes,
    queue_routes,
    sign_in_routes,
    team_routes,
    template_routes,
)
from vaultcrm.entrypoints.web.pages import STATIC, Assets

ROUTERS = tuple(
    routes.router
    for routes in (
        sign_in_routes,
        frame_routes,
        live,
        queue_routes,
        inbox_routes,
        conversation_routes,
        drafting_routes,
        personality_routes,
        control_routes,
        template_routes,
        dashboard_routes,
        alert_routes,
        account_routes,
        team_routes,
    )
)


def install(app: FastAPI) -> None:
    """Add the console's routes, static files and error pages; those of the API come first."""
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", Assets(directory=STATIC))
    errors.install(app)
