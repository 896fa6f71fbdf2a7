"""The API's description: every refusal is problem+json, every answer has an example, every webhook shows its body."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import problems, webhook_bodies
from api.answers import ANSWERS
from api.models import BatchIn


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                _complete(method, operation, ANSWERS.get(f"{method.upper()} {path}"))
        batch = BatchIn.model_json_schema(ref_template="#/components/schemas/{model}")
        schema["components"]["schemas"].update(batch.pop("$defs"))
        schema["components"]["schemas"].update(webhook_bodies.SCHEMAS)
        schema["components"]["schemas"]["BatchIn"] = batch
        app.openapi_schema = schema
    return app.openapi_schema


def _complete(method: str, operation: dict[str, Any], answer: Any) -> None:
    """Give one operation the refusals of its guard and the example of its answer."""
    if operation.get("security"):
        # The guard refuses query parameters that a GET does not have, also where it has none.
        for status in ("401", "403", *(["422"] if method == "get" else []), "429"):
            operation["responses"].setdefault(status, {"description": HTTPStatus(int(status)).phrase})
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response["content"] = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
        elif answer is not None and "application/json" in response.get("content", {}):
            response["content"]["application/json"]["example"] = answer
