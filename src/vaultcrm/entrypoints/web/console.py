"""The console on an application."""

from fastapi import FastAPI

from vaultcrm.entrypoints.web.account import routes as account_routes
from vaultcrm.entrypoints.web.account import (
    second_factor_routes,
    sign_in_routes,
    token_routes,
)
from vaultcrm.entrypoints.web.calibration import routes as calibration_routes
from vaultcrm.entrypoints.web.care import routes as care_routes
from vaultcrm.entrypoints.web.channels import routes as channel_routes
from vaultcrm.entrypoints.web.content_rules import routes as content_rule_routes
from vaultcrm.entrypoints.web.conversation import complaint_routes, drafting_routes
from vaultcrm.entrypoints.web.conversation import routes as conversation_routes
from vaultcrm.entrypoints.web.costs import routes as cost_routes
from vaultcrm.entrypoints.web.dashboard import routes as dashboard_routes
from vaultcrm.entrypoints.web.data import routes as data_routes
from vaultcrm.entrypoints.web.disclosure import routes as disclosure_routes
from vaultcrm.entrypoints.web.experiments import routes as experiment_routes
from vaultcrm.entrypoints.web.frame import errors, live
from vaultcrm.entrypoints.web.frame import menu_routes as frame_routes
from vaultcrm.entrypoints.web.frame.pages import STATIC, Assets
from vaultcrm.entrypoints.web.inbox import routes as inbox_routes
from vaultcrm.entrypoints.web.learning import routes as learning_routes
from vaultcrm.entrypoints.web.message_templates import routes as template_routes
from vaultcrm.entrypoints.web.oversight import (
    alert_routes,
    audit_export_routes,
    control_routes,
)
from vaultcrm.entrypoints.web.personalities import routes as personality_routes
from vaultcrm.entrypoints.web.queue import routes as queue_routes
from vaultcrm.entrypoints.web.rollout import routes as rollout_routes
from vaultcrm.entrypoints.web.team import program_routes
from vaultcrm.entrypoints.web.team import routes as team_routes

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
        disclosure_routes,
        control_routes,
        rollout_routes,
        complaint_routes,
        audit_export_routes,
        template_routes,
        content_rule_routes,
        care_routes,
        calibration_routes,
        dashboard_routes,
        learning_routes,
        cost_routes,
        alert_routes,
        account_routes,
        second_factor_routes,
        token_routes,
        program_routes,
        team_routes,
        channel_routes,
        data_routes,
        experiment_routes,
    )
)


def install(app: FastAPI) -> None:
    """Add the console's routes, static files and error pages; those of the API come first."""
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", Assets(directory=STATIC))
    errors.install(app)
