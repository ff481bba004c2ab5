"""Alerts: what has happened, and how grave it is."""

from collections.abc import Mapping

from vaultcrm.domain.alerts import AlertKind, Severity

ALERTS: Mapping[AlertKind, str] = {
    AlertKind.UNKNOWN_MODEL: "The price of a model is not known",
    AlertKind.CHANNEL_PAUSED: "Sending over a channel is paused",
    AlertKind.MESSAGE_DIFFERS: "A message differed from what was decided",
    AlertKind.MESSAGE_UNCERTAIN: "A message may not have reached the fan",
    AlertKind.FAN_NEEDS_CARE: "A fan needs care",
    AlertKind.AUDIT_LOG_DIFFERS: "The audit log differs from its seals",
    AlertKind.MODEL_ERRORS: "Calls to models fail",
    AlertKind.MODEL_LATENCY: "Models answer slowly",
    AlertKind.REQUEST_ERRORS: "Requests to VaultCRM fail",
    AlertKind.REQUEST_LATENCY: "VaultCRM answers slowly",
    AlertKind.DAILY_COST: "Models cost much today",
    AlertKind.FILTER_RATE: "The content filter finds much",
    AlertKind.CONFIDENCE_DRIFTS: "Confidence no longer fits what people decide",
    AlertKind.GUARANTEE_BROKEN: "Too many automatic messages would have been changed",
    AlertKind.AB_TEST: "An A/B test needs a look",
    AlertKind.DATABASE_ERRORS: "The database could not be reached",
}
"""What has happened. What to do about it stands in the alert's own message."""

SEVERITIES: Mapping[Severity, str] = {Severity.CRITICAL: "Severe", Severity.WARNING: "Warning"}
