"""A webhook's answer makes the messenger repeat an update, until it is stored or left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.channels import HookAnswer, Incoming, Kind
from bot.channels.hooks import Intake
from bot.channels.polling import POISON_TRIES
from bot.errors import StoreUnavailable


def update(external_id: str = "1", text: str = "раз") -> Incoming:
    at = datetime(2026, 11, 18, tzinfo=UTC)
    return Incoming(channel="vk", chat="42", external_id=external_id, kind=Kind.MESSAGE, at=at, text=text)


async def take(intake: Intake, error: Exception | None, external_id: str = "1") -> HookAnswer:
    async def receive(update: Incoming) -> None:
        if error is not None:
            raise error

    return await intake.take(receive, update(external_id))


async def test_what_is_stored_is_answered_with_200() -> None:
    assert await take(Intake(), None) == HookAnswer(200, "ok")


@pytest.mark.parametrize("error", [StoreUnavailable(), OSError("gone"), TimeoutError()])
async def test_a_store_that_is_away_never_leaves_anything_out(error: Exception) -> None:
    intake = Intake()
    for _ in range(3 * POISON_TRIES):
        assert await take(intake, error) == HookAnswer(503, "later", {"Retry-After": "3"})


async def test_an_update_that_fails_on_its_own_is_left_out_in_the_end() -> None:
    intake = Intake()
    answers = [await take(intake, ValueError("poison")) for _ in range(POISON_TRIES)]
    assert [answer.status for answer in answers] == [500] * (POISON_TRIES - 1) + [200]
    assert (await take(intake, ValueError("poison"))).status == 500


async def test_tries_are_counted_for_each_update() -> None:
    intake = Intake()
    for number in range(POISON_TRIES):
        assert (await take(intake, ValueError("odd"), str(number))).status == 500
    assert (await take(intake, None, "0")).status == 200
    assert (await take(intake, ValueError("odd"), "0")).status == 500


async def test_the_customers_words_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def receive(update: Incoming) -> None:
        raise ValueError("odd")

    await Intake().take(receive, update(text="личное"))
    assert "update_failed" in caplog.text
    assert "личное" not in caplog.text + str([record.__dict__ for record in caplog.records])
