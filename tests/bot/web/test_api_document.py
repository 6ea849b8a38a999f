"""The API's own description: whole, true to the shapes, and without anybody's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from bot.web import api, api_gate
from tests.bot.web.api_calls import help_desk
from tests.bot.world import World


@pytest.fixture
async def document(world: World, address: str, tmp_path: Path) -> dict[str, Any]:
    async with help_desk(world, address, tmp_path) as desk, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{desk.address}{api.PREFIX}{api_gate.DOCUMENT}")
        told: dict[str, Any] = answer.json()
        return told


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def check(document: dict[str, Any], schema: dict[str, Any], example: Any) -> None:
    """Hold an example against a schema of the document."""
    whole = {"components": document["components"], **schema}
    Draft202012Validator(whole).validate(example)


async def test_every_operation_has_its_problems_with_examples_and_the_key(document: dict[str, Any]) -> None:
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert len(operations(document)) == 11
    for operation in operations(document):
        name, responses = operation["operationId"], operation["responses"]
        assert {"200", "401", "413", "422", "429", "503"} <= set(responses), name
        for status, response in responses.items():
            if status == "200":
                continue
            content = response["content"]["application/problem+json"]
            assert content["example"]["status"] == int(status), (name, status)
            check(document, content["schema"], content["example"])
        assert operation["summary"], name
        assert operation["description"], name
        changes = "Idempotency-Key" in [one["name"] for one in operation.get("parameters", ())]
        assert changes == ("403" in responses), name


async def test_every_example_is_one(document: dict[str, Any]) -> None:
    shown = 0
    for operation in operations(document):
        name = operation["operationId"]
        if name != "getAttachment":
            content = operation["responses"]["200"]["content"]["application/json"]
            check(document, content["schema"], content["example"])
            shown += 1
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            assert content["examples"], name
            for example in content["examples"].values():
                check(document, content["schema"], example["value"])
                shown += 1
    assert shown > 15


async def test_what_comes_in_refuses_unknown_keys(document: dict[str, Any]) -> None:
    for name in ("Reply", "Note", "Resolve", "ToQueue", "ToAgent", "Wait", "Shift"):
        assert document["components"]["schemas"][name]["additionalProperties"] is False
