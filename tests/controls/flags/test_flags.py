"""The flags in force: the environment's defaults under run-time overrides, and closed in doubt."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.controls.flags import FLAG_FIELDS, Overrides, check_value, effective_flags
from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.settings import Settings

SETTINGS = Settings(
    vaultcrm_home=Path("unused"),
    enable_ai_chat=True,
    ai_auto_send_threshold=80,
    ai_ppv_approval_threshold=50,
    ai_rate_limit_per_hour=100,
    ai_max_tokens_per_day=100_000,
    ai_max_tokens_per_message=512,
    ai_rollout_stage=2,
    ai_rollout_creator="mia",
)


def flags(
    installation: dict[str, Any] | None = None, creator: dict[str, Any] | None = None
) -> Flags:
    return effective_flags(SETTINGS, Overrides(installation or {}, creator or {}))


# What a process makes of its environment can only be seen from outside, in a process of its own.
_SHOW = """
import json
from dataclasses import asdict
from pathlib import Path
from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.settings import load_settings
print(json.dumps(asdict(effective_flags(load_settings(Path("{home}")), Overrides({{}}, {{}})))))
"""


def flags_of_a_process_with(home: Path, environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _SHOW.format(home=home)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


ENVIRONMENT = {
    "ENABLE_AI_CHAT": "false",
    "AI_AUTO_SEND_THRESHOLD": "91",
    "AI_PPV_APPROVAL_THRESHOLD": "19.99",
    "AI_RATE_LIMIT_PER_HOUR": "7",
    "AI_MAX_TOKENS_PER_DAY": "5000",
    "AI_MAX_TOKENS_PER_MESSAGE": "600",
    "AI_ROLLOUT_STAGE": "3",
    "AI_OFFERS_PER_FAN_PER_DAY": "5",
    "AI_SPEND_PER_FAN_PER_WEEK": "250",
    "AI_COOLING_OFF_HOURS": "48",
    "AI_JUDGE": "false",
    "AI_LEARNING_APPLIES": "true",
    "AI_AUTO_SEND_GUARANTEE": "false",
    "AI_AUTO_SEND_RISK": "0.01",
    "AI_AUTO_SEND_SAMPLE": "0.1",
}
READ = {
    "enabled": False,
    "auto_send_threshold": 91,
    "ppv_approval_threshold": 19.99,
    "rate_limit_per_hour": 7,
    "max_tokens_per_day": 5000,
    "max_tokens_per_message": 600,
    "rollout_stage": 3,
    "rollout_creator": None,
    "offers_per_fan_per_day": 5,
    "spend_per_fan_per_week": 250,
    "cooling_off_hours": 48,
    "judge": False,
    "learning_applies": True,
    "auto_send_guarantee": False,
    "auto_send_risk": 0.01,
    "auto_send_sample": 0.1,
}


def test_an_empty_environment_gives_the_documented_defaults(tmp_path: Path) -> None:
    assert flags_of_a_process_with(tmp_path, {}) == {
        "enabled": True,
        "auto_send_threshold": 80,
        "ppv_approval_threshold": 50,
        "rate_limit_per_hour": 100,
        "max_tokens_per_day": 100_000,
        "max_tokens_per_message": 512,
        "rollout_stage": 2,
        "rollout_creator": None,
        "offers_per_fan_per_day": 3,
        "spend_per_fan_per_week": 500,
        "cooling_off_hours": 24,
        "judge": True,
        "learning_applies": False,
        "auto_send_guarantee": True,
        "auto_send_risk": 0.02,
        "auto_send_sample": 0.05,
    }


@pytest.mark.parametrize("prefix", ["", "NEXT_PUBLIC_"])
def test_the_environment_sets_the_flags_under_both_spellings(tmp_path: Path, prefix: str) -> None:
    environment = {prefix + name: value for name, value in ENVIRONMENT.items()}
    assert flags_of_a_process_with(tmp_path, environment) == READ


@pytest.mark.parametrize("prefix", ["", "NEXT_PUBLIC_"])
def test_the_settings_file_sets_the_flags_under_both_spellings_too(
    tmp_path: Path, prefix: str
) -> None:
    lines = [f"{prefix}{name}={value}\n" for name, value in ENVIRONMENT.items()]
    (tmp_path / "vaultcrm.env").write_text("".join(lines))
    assert flags_of_a_process_with(tmp_path, {}) == READ


def test_the_plain_spelling_wins_over_the_public_one(tmp_path: Path) -> None:
    both = {"AI_ROLLOUT_STAGE": "1", "NEXT_PUBLIC_AI_ROLLOUT_STAGE": "4"}
    assert flags_of_a_process_with(tmp_path, both)["rollout_stage"] == 1


def test_without_overrides_the_settings_are_in_force() -> None:
    assert flags() == Flags(
        enabled=True,
        auto_send_threshold=80,
        ppv_approval_threshold=50,
        rate_limit_per_hour=100,
        max_tokens_per_day=100_000,
        max_tokens_per_message=512,
        rollout_stage=RolloutStage.MANUAL_APPROVAL,
        rollout_creator="mia",
    )


OTHER_VALUES: dict[str, tuple[str, Any, Any]] = {
    "ENABLE_AI_CHAT": ("enabled", False, True),
    "AI_AUTO_SEND_THRESHOLD": ("auto_send_threshold", 95, 85),
    "AI_PPV_APPROVAL_THRESHOLD": ("ppv_approval_threshold", 20.5, 10),
    "AI_RATE_LIMIT_PER_HOUR": ("rate_limit_per_hour", 5, 6),
    "AI_MAX_TOKENS_PER_DAY": ("max_tokens_per_day", 9000, 8000),
    "AI_MAX_TOKENS_PER_MESSAGE": ("max_tokens_per_message", 1024, 700),
    "AI_ROLLOUT_STAGE": ("rollout_stage", RolloutStage.FULL, RolloutStage.ONE_CREATOR),
    "AI_ROLLOUT_CREATOR": ("rollout_creator", "zoe", "ava"),
    "AI_OFFERS_PER_FAN_PER_DAY": ("offers_per_fan_per_day", 1, 0),
    "AI_SPEND_PER_FAN_PER_WEEK": ("spend_per_fan_per_week", 0, 50),
    "AI_COOLING_OFF_HOURS": ("cooling_off_hours", 72, 1),
    "AI_JUDGE": ("judge", False, True),
    "AI_LEARNING_APPLIES": ("learning_applies", True, False),
    "AI_AUTO_SEND_GUARANTEE": ("auto_send_guarantee", False, True),
    "AI_AUTO_SEND_RISK": ("auto_send_risk", 0.05, 0.01),
    "AI_AUTO_SEND_SAMPLE": ("auto_send_sample", 0.5, 0),
}
FOR_ONE_CREATOR = sorted(set(FLAG_FIELDS) - {"AI_MAX_TOKENS_PER_DAY", "AI_ROLLOUT_CREATOR"})


@pytest.mark.parametrize("name", FLAG_FIELDS)
def test_an_override_of_the_installation_wins_over_the_environment_and_changes_nothing_else(
    name: str,
) -> None:
    field, value, _ = OTHER_VALUES[name]
    assert asdict(flags({name: value})) == asdict(flags()) | {field: value}


@pytest.mark.parametrize("name", FOR_ONE_CREATOR)
def test_a_creators_own_override_wins_over_that_of_the_installation(name: str) -> None:
    field, general, own = OTHER_VALUES[name]
    assert asdict(flags({name: general}, {name: own})) == asdict(flags()) | {field: own}


@pytest.mark.parametrize("name", ["AI_MAX_TOKENS_PER_DAY", "AI_ROLLOUT_CREATOR"])
def test_no_creator_overrides_what_is_the_whole_installations(name: str) -> None:
    _, general, own = OTHER_VALUES[name]
    assert flags({}, {name: own}) == flags()
    assert flags({name: general}, {name: own}) == flags({name: general})


SWITCHES = {
    name for name, field in FLAG_FIELDS.items() if Settings.model_fields[field].annotation is bool
}
BAD: list[tuple[str, Any]] = [
    ("ENABLE_AI_CHAT", "perhaps"),
    ("ENABLE_AI_CHAT", None),
    ("AI_AUTO_SEND_THRESHOLD", -1),
    ("AI_AUTO_SEND_THRESHOLD", 101),
    ("AI_AUTO_SEND_THRESHOLD", 79.5),
    ("AI_PPV_APPROVAL_THRESHOLD", -0.01),
    ("AI_PPV_APPROVAL_THRESHOLD", float("nan")),
    ("AI_RATE_LIMIT_PER_HOUR", -1),
    ("AI_RATE_LIMIT_PER_HOUR", [5]),
    ("AI_MAX_TOKENS_PER_DAY", "many"),
    ("AI_MAX_TOKENS_PER_MESSAGE", 511),
    ("AI_MAX_TOKENS_PER_MESSAGE", 1025),
    ("AI_ROLLOUT_STAGE", 0),
    ("AI_ROLLOUT_STAGE", 5),
    ("AI_ROLLOUT_CREATOR", 7),
    *((name, True) for name in FLAG_FIELDS if name not in SWITCHES),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_out_of_bounds_is_refused_with_a_reason(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_value(name, value)
    assert [problem.field for problem in refused.value.problems] == ["value"]
    assert refused.value.problems[0].reason


@pytest.mark.parametrize(("name", "value"), BAD)
def test_an_override_that_cannot_be_read_switches_ai_off(name: str, value: Any) -> None:
    assert not flags({name: value, "ENABLE_AI_CHAT": True} | {name: value}).enabled


def test_a_creators_unreadable_override_is_not_mended_by_a_sound_one_of_the_installation() -> None:
    sound, broken = {"AI_ROLLOUT_STAGE": 3}, {"AI_ROLLOUT_STAGE": "all", "ENABLE_AI_CHAT": True}
    assert not flags(sound, broken).enabled


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AI_AUTO_SEND_THRESHOLD", 0),
        ("AI_AUTO_SEND_THRESHOLD", 100),
        ("AI_PPV_APPROVAL_THRESHOLD", 0),
        ("AI_RATE_LIMIT_PER_HOUR", 0),
        ("AI_MAX_TOKENS_PER_DAY", 0),
        ("AI_MAX_TOKENS_PER_MESSAGE", 512),
        ("AI_MAX_TOKENS_PER_MESSAGE", 1024),
        ("AI_ROLLOUT_STAGE", 1),
        ("AI_ROLLOUT_STAGE", 4),
        ("AI_ROLLOUT_CREATOR", None),
    ],
)
def test_values_at_the_bounds_are_taken(name: str, value: Any) -> None:
    assert check_value(name, value) == value


def test_an_unknown_flag_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_value("AI_MOOD", 1)
    assert [problem.field for problem in refused.value.problems] == ["name"]
    assert all(name in str(refused.value) for name in FLAG_FIELDS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(FLAG_FIELDS)), JSON))
def test_whatever_stands_in_the_overrides_the_flags_in_force_are_within_bounds(
    overrides: dict[str, Any],
) -> None:
    found = flags(overrides)
    assert 0 <= found.auto_send_threshold <= 100
    assert found.ppv_approval_threshold >= 0
    assert found.rate_limit_per_hour >= 0
    assert found.max_tokens_per_day >= 0
    assert 512 <= found.max_tokens_per_message <= 1024
    assert found.rollout_stage in set(RolloutStage)
