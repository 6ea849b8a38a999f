"""The NLU's HTTP service, around a reader that needs no Rasa."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from nlu.server import MAX_TEXT, NoModel, Service, find_model

Client = TestClient[Any, Any]
TOKEN = {"Authorization": "Bearer secret"}


class EchoReader:
    """Reads nothing; tells what it was asked."""

    model = "nlu-test"

    def read(self, text: str, **options: Any) -> dict[str, Any]:
        if text == "fail":
            raise RuntimeError(text)
        return {"text": text, "now": str(options["now"]), "clauses": options["clauses"]}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    service = Service(tmp_path, "secret")
    service._reader = EchoReader()  # type: ignore[assignment]
    async with TestClient(TestServer(service.application())) as client:
        yield client


class TestParse:
    async def test_gives_one_reading(self, client: Client) -> None:
        answer = await client.post("/parse", json={"text": "привет"}, headers=TOKEN)
        assert (answer.status, await answer.json()) == (200, {"text": "привет", "now": "None", "clauses": True})

    async def test_passes_the_clock_and_the_wish_for_clauses_on(self, client: Client) -> None:
        body = {"text": "завтра", "now": "2026-11-20T12:00:00Z", "clauses": False}
        reading = await (await client.post("/parse", json=body, headers=TOKEN)).json()
        assert reading == {"text": "завтра", "now": "2026-11-20 12:00:00+00:00", "clauses": False}

    @pytest.mark.parametrize("text", ["", "😀", "х" * MAX_TEXT, "\ud83d", "нуль \0 внутри"])
    async def test_reads_whatever_a_customer_may_send(self, client: Client, text: str) -> None:
        assert (await client.post("/parse", json={"text": text}, headers=TOKEN)).status == 200

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ("not json", 400),
            ("[]", 400),
            ("{}", 400),
            ('{"text": 5}', 400),
            ('{"text": "a", "now": "soon"}', 400),
            ('{"text": "a", "now": 5}', 400),
            ('{"text": "a", "clauses": "yes"}', 400),
            ('{"text": "a", "other": 1}', 400),
            ('{"text": "' + "a" * (MAX_TEXT + 1) + '"}', 413),
        ],
    )
    async def test_what_is_wrong_is_told_in_a_sentence(self, client: Client, body: str, status: int) -> None:
        answer = await client.post("/parse", data=body.encode(), headers=TOKEN)
        assert answer.status == status
        assert (await answer.json())["error"].endswith(".")

    async def test_a_failure_does_not_repeat_the_customers_words(self, client: Client) -> None:
        answer = await client.post("/parse", json={"text": "fail"}, headers=TOKEN)
        assert answer.status == 500
        assert "fail" not in (await answer.json())["error"]


class TestBatch:
    async def test_gives_a_reading_for_each_text_in_order(self, client: Client) -> None:
        answer = await client.post("/parse/batch", json={"texts": ["а", "б"]}, headers=TOKEN)
        assert [reading["text"] for reading in (await answer.json())["readings"]] == ["а", "б"]

    @pytest.mark.parametrize(("texts", "status"), [("а", 400), (["а", 1], 400), (["а"] * 300, 413)])
    async def test_refuses_what_is_no_list_of_texts(self, client: Client, texts: Any, status: int) -> None:
        assert (await client.post("/parse/batch", json={"texts": texts}, headers=TOKEN)).status == status


class TestGate:
    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret!"}])
    async def test_without_the_token_nothing_is_read(self, client: Client, headers: dict[str, str]) -> None:
        assert (await client.post("/parse", json={"text": "а"}, headers=headers)).status == 401

    async def test_health_needs_no_token(self, client: Client) -> None:
        answer = await client.get("/health")
        assert (answer.status, await answer.json()) == (200, {"ready": True, "model": "nlu-test"})

    async def test_an_unknown_path_is_an_error_like_any_other(self, client: Client) -> None:
        answer = await client.get("/model", headers=TOKEN)
        assert (answer.status, set(await answer.json())) == (404, {"error"})

    async def test_before_a_model_is_loaded_it_says_so(self, tmp_path: Path) -> None:
        async with TestClient(TestServer(Service(tmp_path, None).application())) as client:
            assert (await client.get("/health")).status == 503
            assert (await client.post("/parse", json={"text": "а"})).status == 503


class TestReload:
    @pytest.mark.parametrize("name", ["nlu-none", "../../etc/passwd", ""])
    async def test_a_model_that_is_not_there_changes_nothing(self, client: Client, name: str) -> None:
        assert (await client.post("/reload", json={"model": name}, headers=TOKEN)).status == 404
        assert (await (await client.get("/health")).json())["model"] == "nlu-test"


class TestFindModel:
    def test_the_newest_is_taken_when_none_is_named(self, tmp_path: Path) -> None:
        for age, name in enumerate(("nlu-new", "nlu-old")):
            archive = tmp_path / f"{name}.tar.gz"
            archive.touch()
            os.utime(archive, (1000 - age, 1000 - age))
        assert find_model(tmp_path, None).name == "nlu-new.tar.gz"
        assert find_model(tmp_path, "nlu-old").name == "nlu-old.tar.gz"

    def test_an_empty_folder_has_none(self, tmp_path: Path) -> None:
        with pytest.raises(NoModel):
            find_model(tmp_path, None)
