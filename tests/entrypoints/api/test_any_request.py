"""Whatever is sent to any operation of the API, the answer is one that the document tells of.

Requests are made from the OpenAPI document by Schemathesis: such as it allows, and such as it does
not. Ids that mean something here are put into some of them, or nearly all would end at 404.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.app import RunningApp
from tests.support.chromium import Stage, stage
from tests.support.databases import Databases
from tests.support.world import conversation, sign_in
from vaultcrm.domain.people import Role

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = {GenerationMode.POSITIVE: 6, GenerationMode.NEGATIVE: 4}
SEED = 20_261_122
SWITCHED_OFF = ("/problems/ai-disabled",)
"""A flag that one request sets may close what another asks for; that is no error of the server."""


@pytest.fixture(scope="module")
def served(
    database_server: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stage, dict[str, str], dict[str, str]]]:
    """A served application, an admin's headers, and ids by the names that operations give them."""
    home: Path = tmp_path_factory.mktemp("home")

    async def fill(running: RunningApp) -> tuple[dict[str, str], dict[str, str]]:
        ada = await sign_in(running, Role.ADMIN)
        talk = await conversation(ada)
        draft = await ada.made("/api/ai/generate", talk.asks())
        template = await ada.made(
            "/api/templates",
            {
                "creatorId": talk.creator_id,
                "name": "hello",
                "category": "welcome",
                "templateText": "Welcome, {fan_name}!",
            },
        )
        ids = {
            "creator": talk.creator_id,
            "fan": talk.fan_id,
            "conversation": talk.conversation_id,
            "generation": draft["generationId"],
            "template": template["id"],
        }
        named = {f"{name}_id": value for name, value in ids.items()}
        camel = {f"{name}Id": value for name, value in ids.items()}
        return ada.headers, {**named, **camel, "channel": "simulator"}

    with database_server.fresh() as url, stage(url, home) as on_stage:
        headers, ids = on_stage.beside(fill)
        yield on_stage, headers, ids


def meaning_something(found: Any, ids: dict[str, str]) -> Any:
    """The same with the ids of things that there are."""
    if isinstance(found, dict):
        return {
            name: ids[name] if name in ids else meaning_something(value, ids)
            for name, value in found.items()
        }
    if isinstance(found, list):
        return [meaning_something(value, ids) for value in found]
    return found


def sends(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    session: requests.Session,
    ids: dict[str, str],
) -> None:
    """Send so many requests for one operation and hold each answer to the document."""

    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    @settings(
        max_examples=EXAMPLES[mode],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any, known: bool) -> None:
        if known:
            case.path_parameters = meaning_something(case.path_parameters, ids)
            case.query = meaning_something(case.query, ids)
            case.body = meaning_something(case.body, ids)
        answer = case.call(session=session)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 500:
            told = answer.json() if "json" in answer.headers["content-type"][0] else {}
            if told.get("type") not in SWITCHED_OFF:
                case.validate_response(answer, checks=[not_a_server_error])

    send()


@pytest.mark.parametrize("mode", list(EXAMPLES))
def test_every_answer_is_one_that_the_document_tells_of_and_none_says_that_something_broke(
    served: tuple[Stage, dict[str, str], dict[str, str]], mode: GenerationMode
) -> None:
    on_stage, headers, ids = served
    random.seed(SEED)
    schema = schemathesis.openapi.from_url(f"{on_stage.base}/api/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(map(len, schema.raw_schema["paths"].values()))
    wrongable = [one for one in operations if any(True for _ in one.iter_parameters()) or one.body]
    assert len(wrongable) > 60
    with requests.Session() as session:
        session.headers.update(headers)
        for operation in operations if mode is GenerationMode.POSITIVE else wrongable:
            sends(operation, mode, session, ids)
