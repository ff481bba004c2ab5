"""The OpenAPI document is valid and tells of every error. Whether the answers keep to it is
checked with every request of the other tests (`tests.entrypoints.api.documented`).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from vaultcrm.entrypoints.asgi import create_app

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    return create_app().openapi()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_the_document_is_of_the_form_that_openapi_asks_for(document: Document) -> None:
    parsed = OpenAPI.model_validate(document)
    assert parsed.openapi.startswith("3.1")
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids)) > 20


def test_everything_that_the_document_refers_to_is_in_it(document: Document) -> None:
    found = set(references(document))
    assert "#/components/schemas/Problem" in found
    for reference in found:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_nothing_is_described_that_nothing_refers_to(document: Document) -> None:
    named = {reference.rpartition("/")[2] for reference in references(document)}
    assert document["components"]["schemas"].keys() == named


def test_every_parameter_in_a_path_is_described(document: Document) -> None:
    for _, path, operation in operations(document):
        in_path = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        described = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert described == in_path


def test_every_operation_says_what_it_does_and_which_problems_it_may_answer(
    document: Document,
) -> None:
    problem = {"$ref": "#/components/schemas/Problem"}
    for method, path, operation in operations(document):
        assert operation.get("description"), f"{method} {path}"
        if not path.startswith("/api/"):
            continue
        errors = {
            status: answer for status, answer in operation["responses"].items() if status >= "400"
        }
        assert errors.keys() >= {"401", "404", "422", "500", "503"}, f"{method} {path}"
        if method == "post":
            assert errors.keys() >= {"409", "413"}, f"{method} {path}"
        for answer in errors.values():
            assert answer["content"] == {"application/problem+json": {"schema": problem}}


def test_every_operation_below_api_asks_for_a_token_except_where_the_body_is_signed(
    document: Document,
) -> None:
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for _, path, operation in operations(document):
        signed = path.startswith("/api/webhooks/")
        asks = path.startswith("/api/") and not signed
        assert operation.get("security") == ([{"token": []}] if asks else None), path


def test_the_idempotency_key_is_described_where_it_is_honoured(document: Document) -> None:
    for method, path, operation in operations(document):
        named = {one["name"] for one in operation.get("parameters", ())}
        signed = path.startswith("/api/webhooks/")
        assert ("Idempotency-Key" in named) == (method == "post" and not signed), path


def test_what_generate_answers_is_described_field_by_field(document: Document) -> None:
    generate = document["paths"]["/api/ai/generate"]["post"]
    schema = generate["responses"]["200"]["content"]["application/json"]["schema"]
    name = schema["$ref"].rpartition("/")[2]
    fields = document["components"]["schemas"][name]["properties"]
    assert fields.keys() >= {"generationId", "approvalReasons", "suggestedPrice", "usage", "safety"}
    assert generate["responses"].keys() >= {"429", "502", "504"}
