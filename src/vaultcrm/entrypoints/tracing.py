"""Traces by OpenTelemetry, where `OTEL_EXPORTER_OTLP_ENDPOINT` is set.

A span of each request (`measuring`) and of each call to a model (`vaultcrm.adapters.llm.measured`),
by route and model, without addresses, queries or texts. FastAPI could make the spans of requests,
and is told not to: its own hold the whole query, in which people search for names and in which a
link to sign in has its secret.
"""

import logging
import os
from functools import cache
from importlib import import_module

from opentelemetry import trace

from vaultcrm import __version__

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXTRA = "vaultcrm[telemetry]"

log = logging.getLogger(__name__)


def wants_traces() -> bool:
    """Whether the environment names where traces go."""
    return any(os.environ.get(name) for name in ENDPOINTS)


@cache
def start_tracing() -> bool:
    """Send the traces of this process where the environment says, over HTTP; whether it does.

    Headers, sampling and the service's name are set by OpenTelemetry's own variables. What is left
    to send is sent when the process ends. What sends is an extra, as it weighs more than it is
    often used; without it a warning is logged and nothing is traced.
    """
    if not wants_traces():
        return False
    try:
        sdk = import_module("opentelemetry.sdk.trace")
        export = import_module("opentelemetry.sdk.trace.export")
        resources = import_module("opentelemetry.sdk.resources")
        otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        # What it is for must not keep it from running.
        log.warning("Traces are asked for and cannot be sent: pip install '%s'.", EXTRA)
        return False
    named = {"service.version": __version__}
    if "OTEL_SERVICE_NAME" not in os.environ:
        named["service.name"] = "vaultcrm"
    provider = sdk.TracerProvider(resource=resources.Resource.create(named))
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True
