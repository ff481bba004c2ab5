"""`/metrics`, for Prometheus; not part of the JSON API."""

import hmac
from ipaddress import ip_address

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.controls.monitoring.exposition import MEDIA_TYPE
from vaultcrm.db.row_scope import EVERYTHING, seeing
from vaultcrm.domain.errors import Unauthenticated
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.settings import Settings
from vaultcrm.workflows.observe import read_exposition

router = APIRouter(include_in_schema=False)

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@router.get("/metrics")
async def metrics(request: Request, parts: PartsDep) -> Response:
    """What every process of this installation has counted, in the text format of Prometheus.

    With METRICS_TOKEN set, for whoever sends it as a bearer token; else for this very machine.
    """
    require_scraper(request, parts.settings)
    with seeing(EVERYTHING):
        return Response(await read_exposition(parts), media_type=MEDIA_TYPE)


def require_scraper(request: Request, settings: Settings) -> None:
    """Raise Unauthenticated for whoever may not read metrics.

    A request that a proxy has handed on is not from this machine, wherever the proxy is.
    """
    if settings.metrics_token is not None:
        wanted = f"Bearer {settings.metrics_token.get_secret_value()}".encode()
        given = request.headers.get("authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, wanted):
            raise Unauthenticated("Send METRICS_TOKEN as a bearer token.")
        return
    handed_on = any(name in request.headers for name in _FORWARDED)
    if handed_on or request.client is None or not _is_loopback(request.client.host):
        raise Unauthenticated(
            "Without METRICS_TOKEN only this very machine may read metrics. Set it, and let "
            "Prometheus send it as a bearer token."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
