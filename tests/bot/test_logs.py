"""The log: what it tells, and what it never tells."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from sqlalchemy import text

from bot import logs, trouble
from bot.channels import Kind
from bot.errors import ChannelStopped, DeliveryUnknown, NluUnavailable, Rejected
from tests.bot.world import World

TOKEN = "7000111222:AAHtest-token_of-a-bot0123456789abc"
PHONE = "+79161234567"
WORDS = "мои тайные слова"
SECRETS = ("тайные", "Тайная", "79161234567", "916 123", "AAHtest-token", "hunter2", "vk1.a.abc")


@pytest.fixture(params=[False, True], ids=["text", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """All that is logged, as it would be written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.ObjectFormatter() if request.param else logs.LineFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def fail(error: Exception, *, event: str = "it_failed", **ids: Any) -> None:
    try:
        raise error
    except Exception:
        logging.getLogger("bot.test").exception(event, extra=ids)


def quiet(said: str) -> None:
    assert not [secret for secret in SECRETS if secret in said], said


class TestJson:
    def test_a_line_is_an_object_with_event_level_time_and_ids(self) -> None:
        record = logging.makeLogRecord(
            {"name": "bot.turns", "levelno": logging.INFO, "levelname": "INFO", "msg": "turn_taken", "conversation": 7}
        )
        line = logs.ObjectFormatter().format(record)
        assert "\n" not in line
        told = json.loads(line)
        assert told.pop("time").endswith("+00:00")
        assert told == {"level": "info", "event": "turn_taken", "logger": "bot.turns", "conversation": 7}

    def test_an_error_has_its_traceback_without_its_words(self, written: io.StringIO) -> None:
        fail(ValueError(WORDS), conversation=7)
        quiet(written.getvalue())
        assert "ValueError" in written.getvalue()
        assert "test_logs.py" in written.getvalue()


class TestSilence:
    async def test_a_whole_conversation_with_failures_tells_nothing_of_the_customer(
        self, world: World, written: io.StringIO
    ) -> None:
        name, words = "Мария Тайная", WORDS
        await world.say("c1", "мастера", name=name)
        await world.say("c1", words, name=name)
        await world.hear(world.incoming("c1", Kind.CONTACT, contact=PHONE, name=name))
        await world.hear(world.incoming("c1", Kind.PRESS, press=words))
        world.crm.down.add("crm")
        await world.say("c2", "готов ли велосипед", name=name)
        world.nlu.down = True
        await world.say("c3", words, name=name)
        world.nlu.down = False
        for error in (
            Rejected("Telegram refuses this message."), ChannelStopped("Telegram refuses the token."), DeliveryUnknown(),
            RuntimeError(f"https://api.telegram.org/bot{TOKEN}/sendMessage {words}"),
        ):  # fmt: skip
            world.channels["telegram"].outcomes = [error]
            await world.say("c4", words, name=name)

        async def broken(given: str, **_: object) -> None:
            raise RuntimeError(f"cannot read {given!r}")

        world.nlu.parse = broken  # type: ignore[assignment,method-assign]
        await world.say("c5", words, name=name)
        assert "turn_undone" in written.getvalue()
        assert "delivery_unclear" in written.getvalue()
        quiet(written.getvalue())

    async def test_an_error_of_the_store_tells_no_parameters(self, world: World, written: io.StringIO) -> None:
        try:
            async with world.sessions() as session:
                await session.execute(text("SELECT CAST(:words AS integer)"), {"words": WORDS})
        except Exception:
            logging.getLogger("bot.test").exception("store_failed")
        assert "store_failed" in written.getvalue()
        quiet(written.getvalue())

    def test_causes_tell_no_more_than_their_kind(self, written: io.StringIO) -> None:
        try:
            try:
                raise KeyError(WORDS)
            except KeyError as error:
                raise NluUnavailable("The NLU service answered no JSON.") from error
        except NluUnavailable:
            logging.getLogger("bot.test").exception("nlu_down")
        quiet(written.getvalue())
        assert "KeyError" in written.getvalue()
        assert "answered no JSON" in written.getvalue()

    def test_what_another_handler_made_of_an_error_is_not_used(self, written: io.StringIO) -> None:
        record = logging.makeLogRecord({"msg": "x", "exc_text": WORDS})
        assert "тайные" not in logs.LineFormatter().format(record)

    @pytest.mark.parametrize(
        "said",
        [
            f"GET https://api.telegram.org/bot{TOKEN}/getUpdates failed",
            "https://api.vk.ru/method/messages.send?access_token=vk1.a.abcDEF-123&v=5.199",
            "connecting to postgresql://firstline:hunter2@db/firstline",
            "{'secret': 'hunter2', 'group_id': 1}",
            "Authorization: Bearer hunter2",
            "user +7 916 123-45-67 and 8 (916) 123-45-67",
        ],
    )
    def test_what_libraries_say_is_searched_for_secrets_and_numbers(self, written: io.StringIO, said: str) -> None:
        logging.getLogger("aiogram.event").error(said)
        logging.getLogger("aiogram.event").error("%s", "x", extra={"url": said})
        quiet(written.getvalue())

    def test_ids_stay(self) -> None:
        said = "2026-11-22T20:41:07 conversation=79161 update 700011122233 http://127.0.0.1:8080 1 200 000"
        assert logs.scrubbed(said) == said


class Kept(Transport):
    """Keeps what would be sent to Sentry."""

    envelopes: list[Envelope] = []  # noqa: RUF012  Sentry makes the object

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)


class TestSentry:
    @pytest.fixture
    def sent(self) -> Iterator[list[Envelope]]:
        Kept.envelopes.clear()
        trouble.watch("https://public@sentry.example/1", transport=Kept)
        yield Kept.envelopes
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)

    def test_an_error_is_told_without_words_values_or_requests(self, sent: list[Envelope]) -> None:
        words = WORDS
        sentry_sdk.add_breadcrumb(message=words)
        logging.getLogger("bot.test").info(words)
        sentry_sdk.set_user({"username": "Мария Тайная"})
        fail(ValueError(f"{words} {PHONE} {TOKEN}"), event="turn_failed", conversation=7, words=words)
        [envelope] = sent
        event = envelope.get_event()
        assert event is not None
        whole = json.dumps(event, ensure_ascii=False, default=str)
        quiet(whole)
        assert event["release"].startswith("firstline@")
        assert event["message"] == "turn_failed"
        assert event["tags"] == {"conversation": "7"}
        [error] = event["exception"]["values"]
        assert (error["type"], error["value"]) == ("ValueError", "")
        assert error["stacktrace"]["frames"][-1]["function"] == "fail"
        assert not {"breadcrumbs", "request", "user", "extra", "server_name", "modules"} & set(event)
        assert "vars" not in whole

    def test_our_own_errors_say_what_is_wrong(self, sent: list[Envelope]) -> None:
        fail(ChannelStopped("Telegram refuses the token."))
        event = sent[0].get_event()
        assert event is not None
        assert "refuses the token" in event["exception"]["values"][-1]["value"]

    def test_warnings_are_not_told(self, sent: list[Envelope]) -> None:
        logging.getLogger("bot.test").warning("nlu_down")
        assert sent == []
