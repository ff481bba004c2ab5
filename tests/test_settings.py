"""Where settings come from, and that none of them gives a secret away."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from vaultcrm.settings import Settings, environment_names, is_secret, load_settings

SECRETS = [field for field in Settings.model_fields if is_secret(field)]
VALUE = "postgresql://jo:hunter-two@db.example.com/vaultcrm-of-ours"
"""Long enough for every secret, and an address of a database."""


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine may have settings of its own."""
    for field in Settings.model_fields:
        for name in environment_names(field):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(f"{name}_FILE", raising=False)


def given(settings: Settings, field: str) -> str:
    value = getattr(settings, field)
    return value if isinstance(value, str) else value.get_secret_value()


def test_keys_passwords_and_the_database_are_secrets() -> None:
    assert set(SECRETS) >= {
        "database_url",
        "anthropic_api_key",
        "openai_api_key",
        "smtp_password",
        "webhook_secret",
        "metrics_token",
        "vaultcrm_secret_key",
    }
    assert "ai_model" not in SECRETS


@pytest.mark.parametrize("field", SECRETS)
def test_a_secret_may_stand_in_a_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{VALUE}\n")
    monkeypatch.setenv(f"{field.upper()}_FILE", str(file))
    assert given(load_settings(tmp_path), field) == VALUE


def test_the_environment_comes_before_a_file_that_it_names_and_that_before_vaultcrm_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vaultcrm.env").write_text("ANTHROPIC_API_KEY=third\n")
    assert given(load_settings(tmp_path), "anthropic_api_key") == "third"
    file = tmp_path / "secret"
    file.write_text("second")
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(file))
    assert given(load_settings(tmp_path), "anthropic_api_key") == "second"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "first")
    assert given(load_settings(tmp_path), "anthropic_api_key") == "first"


def test_a_file_that_is_not_there_is_an_error_and_not_a_missing_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError):
        load_settings(tmp_path)


def test_what_is_no_secret_is_not_read_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model"
    file.write_text("another")
    monkeypatch.setenv("AI_MODEL_FILE", str(file))
    assert load_settings(tmp_path).ai_model != "another"


@pytest.mark.parametrize("field", SECRETS)
def test_settings_that_are_printed_show_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    monkeypatch.setenv(field.upper(), VALUE)
    settings = load_settings(tmp_path)
    assert given(settings, field) == VALUE
    for shown in (repr(settings), str(settings), f"{settings}"):
        assert "hunter-two" not in shown


def test_an_error_says_what_is_wrong_with_a_secret_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULTCRM_SECRET_KEY", "too-short-a-key")
    with pytest.raises(ValidationError) as raised:
        load_settings(tmp_path)
    assert "vaultcrm_secret_key" in str(raised.value)
    assert "too-short-a-key" not in str(raised.value)
