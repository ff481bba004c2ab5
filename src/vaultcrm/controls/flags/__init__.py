"""Feature flags: defaults from the settings, overrides from the database, per creator or global."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.settings import Settings

FLAG_FIELDS = {
    "ENABLE_AI_CHAT": "enable_ai_chat",
    "AI_AUTO_SEND_THRESHOLD": "ai_auto_send_threshold",
    "AI_PPV_APPROVAL_THRESHOLD": "ai_ppv_approval_threshold",
    "AI_RATE_LIMIT_PER_HOUR": "ai_rate_limit_per_hour",
    "AI_MAX_TOKENS_PER_DAY": "ai_max_tokens_per_day",
    "AI_MAX_TOKENS_PER_MESSAGE": "ai_max_tokens_per_message",
    "AI_ROLLOUT_STAGE": "ai_rollout_stage",
    "AI_ROLLOUT_CREATOR": "ai_rollout_creator",
    "AI_OFFERS_PER_FAN_PER_DAY": "ai_offers_per_fan_per_day",
    "AI_SPEND_PER_FAN_PER_WEEK": "ai_spend_per_fan_per_week",
    "AI_COOLING_OFF_HOURS": "ai_cooling_off_hours",
    "AI_JUDGE": "ai_judge",
    "AI_LEARNING_APPLIES": "ai_learning_applies",
    "AI_AUTO_SEND_GUARANTEE": "ai_auto_send_guarantee",
    "AI_AUTO_SEND_RISK": "ai_auto_send_risk",
    "AI_AUTO_SEND_SAMPLE": "ai_auto_send_sample",
}
"""Flag names and the setting that each defaults to."""

GLOBAL_ONLY = frozenset({"AI_MAX_TOKENS_PER_DAY", "AI_ROLLOUT_CREATOR"})
"""Flags that make no sense for a single creator; a creator's override of one is not read."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Values set at run time, by flag name; a creator's own win over the installation's."""

    installation: Mapping[str, Any]
    creator: Mapping[str, Any]

    def value(self, name: str, default: Any) -> Any:
        if name in self.creator and name not in GLOBAL_ONLY:
            return self.creator[name]
        return self.installation.get(name, default)


def effective_flags(settings: Settings, overrides: Overrides) -> Flags:
    """The flags in force. An override that cannot be read switches AI off: fail closed."""
    if not overrides.installation and not overrides.creator:
        return _flags({field: getattr(settings, field) for field in FLAG_FIELDS.values()})
    values: dict[str, Any] = {}
    readable = True
    for name, field in FLAG_FIELDS.items():
        default = getattr(settings, field)
        try:
            values[field] = check_value(name, overrides.value(name, default))
        except InvalidInput:
            values[field] = default
            readable = False
    if not readable:
        values["enable_ai_chat"] = False
    return _flags(values)


def check_value(name: str, value: Any) -> Any:
    """The value of a flag, checked against the same bounds as its setting; raises InvalidInput."""
    field = FLAG_FIELDS.get(name)
    if field is None:
        known = ", ".join(FLAG_FIELDS)
        raise InvalidInput(FieldProblem("name", f"unknown flag; known flags are {known}"))
    if isinstance(value, bool) and Settings.model_fields[field].annotation is not bool:
        raise InvalidInput(FieldProblem("value", f"{name} is not a switch: true is no value of it"))
    try:
        return _adapter(field).validate_python(value)
    except ValidationError as error:
        raise InvalidInput(FieldProblem("value", error.errors()[0]["msg"])) from None


@cache
def _adapter(field: str) -> TypeAdapter[Any]:
    """The setting's own type and bounds, so that a flag and its default obey the same ones."""
    info = Settings.model_fields[field]
    annotation: Any = info.annotation
    for constraint in info.metadata:
        annotation = Annotated[annotation, constraint]
    return TypeAdapter(annotation)


def _flags(values: Mapping[str, Any]) -> Flags:
    return Flags(
        enabled=values["enable_ai_chat"],
        auto_send_threshold=values["ai_auto_send_threshold"],
        ppv_approval_threshold=values["ai_ppv_approval_threshold"],
        rate_limit_per_hour=values["ai_rate_limit_per_hour"],
        max_tokens_per_day=values["ai_max_tokens_per_day"],
        max_tokens_per_message=values["ai_max_tokens_per_message"],
        rollout_stage=RolloutStage(values["ai_rollout_stage"]),
        rollout_creator=values["ai_rollout_creator"],
        offers_per_fan_per_day=values["ai_offers_per_fan_per_day"],
        spend_per_fan_per_week=values["ai_spend_per_fan_per_week"],
        cooling_off_hours=values["ai_cooling_off_hours"],
        judge=values["ai_judge"],
        learning_applies=values["ai_learning_applies"],
        auto_send_guarantee=values["ai_auto_send_guarantee"],
        auto_send_risk=values["ai_auto_send_risk"],
        auto_send_sample=values["ai_auto_send_sample"],
    )
