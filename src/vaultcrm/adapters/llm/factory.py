"""Which drafter an installation runs with."""

from pydantic import SecretStr

from vaultcrm.adapters.llm.calling import ModelDrafter
from vaultcrm.adapters.llm.openai_compatible import OpenAiCompatibleDrafter
from vaultcrm.adapters.llm.retrieval import RetrievalDrafter
from vaultcrm.settings import Settings


def build_drafter(settings: Settings) -> ModelDrafter | RetrievalDrafter:
    """The drafter that `Settings.drafter` names, which judges too. Makes no call; the caller closes
    it.
    """
    match settings.drafter:
        case "anthropic":
            # The SDK takes longer to import than all the rest together.
            from vaultcrm.adapters.llm.anthropic import AnthropicDrafter  # noqa: PLC0415

            return AnthropicDrafter(
                api_key=_secret(settings.anthropic_api_key),
                base_url=settings.anthropic_base_url,
                model=settings.ai_model,
                checker=settings.ai_model_checker,
                timeout_seconds=settings.ai_timeout_seconds,
                max_retries=settings.ai_max_retries,
            )
        case "openai_compatible":
            return OpenAiCompatibleDrafter(
                base_url=settings.openai_base_url or "",
                api_key=_secret(settings.openai_api_key),
                model=settings.ai_model,
                checker=settings.ai_model_checker,
                timeout_seconds=settings.ai_timeout_seconds,
                max_retries=settings.ai_max_retries,
            )
        case "retrieval":
            return RetrievalDrafter()


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""
