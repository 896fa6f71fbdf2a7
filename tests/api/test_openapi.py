"""The API's description is true: every body has an example, and every example is valid against the schema it stands by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from tests.api.conftest import House

Found = list[tuple[str, dict[str, Any], Any]]


def _described(house: House) -> dict[str, Any]:
    document: dict[str, Any] = house.public.get("/openapi.json").json()
    return document


def _inside(schema: Any, place: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each example of a schema and of the schemas in it."""
    if isinstance(schema, dict):
        examples = schema.get("examples")
        for example in examples if isinstance(examples, list) else []:
            yield place, schema, example
        for name, inner in schema.items():
            yield from _inside(inner, f"{place}/{name}")
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from _inside(inner, f"{place}/{index}")


def _beside(media: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """The examples of a body that stand beside its schema."""
    for name, example in media.get("examples", {}).items():
        yield f"{place} {name}", media["schema"], example["value"]
    if "example" in media:
        yield place, media["schema"], media["example"]


def _bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                yield f"{method.upper()} {path}", media


def _answers(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                if int(status) < 300 and "application/json" in answer.get("content", {}):
                    yield f"{method.upper()} {path} {status}", answer["content"]["application/json"]


def test_every_example_is_valid_against_its_schema(house: House) -> None:
    document = _described(house)
    shown = [*_bodies(document), *_answers(document)]
    found: Found = [one for place, media in shown for one in _beside(media, place)]
    found += _inside(document["components"]["schemas"], "schemas")
    wrong = {
        place: error.message
        for place, schema, example in found
        for error in Draft202012Validator({"components": document["components"], **schema}).iter_errors(example)
    }
    assert (wrong, len(found) > 20) == ({}, True)


def test_every_body_has_an_example(house: House) -> None:
    document = _described(house)
    schemas = document["components"]["schemas"]
    lacking = [
        place
        for place, media in _bodies(document)
        if not list(_beside(media, place))
        and not list(_inside(schemas.get(media["schema"].get("$ref", "").rpartition("/")[2], {}), place))
    ]
    assert lacking == []


def test_every_answer_is_of_a_known_form_and_has_an_example(house: House) -> None:
    document = _described(house)
    files = {"GET /v1/invoices/{invoice_id}/placement/{name} 200"}
    found = dict(_answers(document))
    assert sorted(place for place, media in found.items() if "example" not in media and place not in files) == []
    free = [place for place, media in found.items() if media["schema"].get("additionalProperties") is True]
    assert free == [] and len(found) > 30


def test_every_operation_stands_under_one_heading_with_a_summary_of_its_own(house: House) -> None:
    operations = [operation for ops in _described(house)["paths"].values() for operation in ops.values()]
    assert {len(operation["tags"]) for operation in operations} == {1}
    assert [each["tags"] for each in operations if each["tags"][0] != each["tags"][0].capitalize()] == []
    made = [each["summary"] for each in operations if each["operationId"].startswith(each["summary"].lower().replace(" ", "_"))]
    assert [summary for summary in made if summary.istitle() and " " in summary] == [], "made up from a function's name"


def test_every_webhook_shows_its_body(house: House) -> None:
    operations = {path: ops["post"] for path, ops in _described(house)["paths"].items() if path.startswith("/webhooks/")}
    assert len(operations) == 7 and [path for path, operation in operations.items() if "requestBody" not in operation] == []


def test_every_refusal_is_described_as_a_problem(house: House) -> None:
    document = _described(house)
    others = [
        (path, method, status)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for status, answer in operation["responses"].items()
        if int(status) >= 400 and list(answer["content"]) != ["application/problem+json"]
    ]
    assert others == []
