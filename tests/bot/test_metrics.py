"""What a running system tells Prometheus: scraped, read by Prometheus's own parser."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.channels import Kind
from bot.errors import DeliveryUnknown, RetryLater
from bot.web import Parts, make_app, serving
from tests.bot.world import World

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def of(figures: Figures, name: str, **labels: str) -> float:
    return figures.get((f"firstline_{name}", frozenset(labels.items())), 0.0)


async def scrape(world: World) -> Figures:
    engine = world.sessions.kw["bind"]
    async with (
        serving(make_app(Parts(engine=engine)), "127.0.0.1", 0) as address,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.get(f"{address}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text) for sample in family.samples
    }  # fmt: skip


async def test_a_conversation_is_counted_and_timed(world: World) -> None:
    before = await scrape(world)
    update = world.incoming("c2", text="мастера")
    await world.hear(update)
    await world.receive(update)
    await world.hear(world.incoming("c1", text="готов ли велосипед"))
    await world.hear(world.incoming("c1", Kind.PRESS, press="0.0"))
    after = await scrape(world)

    def more(name: str, **labels: str) -> float:
        return of(after, name, **labels) - of(before, name, **labels)

    assert more("updates_received_total", channel="telegram", kind="message") == 2
    assert more("updates_received_total", channel="telegram", kind="press") == 1
    assert more("updates_repeated_total", channel="telegram") == 1
    assert more("turns_total", channel="telegram", outcome="handed_over") == 1
    assert more("turns_total", channel="telegram", outcome="answered") == 2
    assert more("turn_seconds_count", channel="telegram") == 3
    assert (
        more("handoffs_total", queue="masters", kind="handoff") + more("handoffs_total", queue="desk", kind="handoff")
        == 1
    )
    assert more("deliveries_total", channel="telegram", result="sent") == len(world.channels["telegram"].sent)
    assert more("answer_seconds_count", channel="telegram") >= 2
    assert more("crm_request_seconds_count", system="crm") >= 1
    waiting = [value for (name, _), value in after.items() if name == "firstline_queue_length"]
    assert waiting == [1]


async def test_what_fails_is_counted(world: World) -> None:
    before = await scrape(world)
    world.crm.down.add("crm")
    world.channels["telegram"].outcomes = [RetryLater(after=0.1), DeliveryUnknown()]
    await world.say("c1", "готов ли велосипед")
    world.crm.down.clear()
    after = await scrape(world)
    assert of(after, "crm_failures_total", system="crm") > of(before, "crm_failures_total", system="crm")
    retried = {"channel": "telegram", "result": "retry"}
    assert of(after, "deliveries_total", **retried) > of(before, "deliveries_total", **retried)


async def test_what_waits_is_read_from_the_database(world: World) -> None:
    await world.receive(world.incoming("c1", text="мои тайные слова", name="Мария"))
    figures = await scrape(world)
    assert of(figures, "unread_length", channel="telegram") == 1
    assert of(figures, "jobs_waiting_length", job="turn") == 1
    assert of(figures, "jobs_waiting_oldest_seconds", job="turn") >= 0
    assert of(figures, "store_up") == 1


async def test_no_label_holds_anything_of_a_customer(world: World) -> None:
    await world.say("c77123456", "мастера", name="Мария Тайная")
    world.nlu.down = True
    await world.say("c77123456", "мои тайные слова")
    values = {value for name, labels in await scrape(world) if name.startswith("firstline_") for _, value in labels}
    assert not [one for one in values if any(word in one for word in ("тайн", "Мария", "77123456"))]
    assert all(len(one) <= 80 for one in values)
    assert len(values) < 200


async def test_without_a_store_the_scrape_says_so() -> None:
    from bot import database

    engine = database.make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    async with (
        serving(make_app(Parts(engine=engine)), "127.0.0.1", 0) as address,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.get(f"{address}/metrics")
    await engine.dispose()
    assert answer.status_code == 200
    assert "firstline_store_up 0.0" in answer.text


@pytest.mark.parametrize("value", ["мои слова", "a b", "x" * 81, "", "a\nb"])
def test_only_plain_short_values_are_labels(value: str) -> None:
    from bot.metrics import label

    assert label(value) == "other"
    assert label("http://10.0.0.1:5005") == "http://10.0.0.1:5005"
