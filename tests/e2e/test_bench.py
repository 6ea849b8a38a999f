"""The benches as commands, in their short form: that the figures are there and hold together, not how fast anything is."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.e2e.conftest import FIRSTLINE, PATIENCE, ROOT

PARTS = {"receive", "wait", "nlu", "decide", "store", "send"}


@pytest.fixture(scope="module")
def load(environment: dict[str, str]) -> dict[str, Any]:
    """The figures of one short run."""
    done = subprocess.run(
        [*FIRSTLINE, "bench", "load", "--short", "--json"], cwd=ROOT, env=environment, capture_output=True, timeout=2 * PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return dict(json.loads(done.stdout))


def test_every_message_of_every_customer_is_answered(load: dict[str, Any]) -> None:
    rates = load["firstline"]["rates"]
    assert rates
    assert all(one["messages"] > 0 and one["unanswered"] == 0 for one in rates)
    assert all(0 < one["median_ms"] <= one["p95_ms"] <= one["p99_ms"] for one in rates)


def test_the_best_rate_is_the_highest_good_one(load: dict[str, Any]) -> None:
    good = [one["rate"] for one in load["firstline"]["rates"] if one["good"]]
    best = load["firstline"]["messages_a_second"]
    assert best == pytest.approx(max(good), abs=0.05) if good else best is None


def test_where_the_time_goes_is_known_for_all_messages_of_a_rate(load: dict[str, Any]) -> None:
    where = dict(load["firstline"]["where"])
    shown = where.pop("rate")
    rate = next(one for one in load["firstline"]["rates"] if one["rate"] == shown)
    assert where.keys() == PARTS
    assert {one["messages"] for one in where.values()} == {rate["messages"]}
    assert sum(one["share"] for one in where.values()) == pytest.approx(1.0, abs=0.01)


def test_the_machines_size_and_the_processor_time_stand_beside_the_figures(load: dict[str, Any]) -> None:
    assert load["machine"]["cores"] >= 1
    for one in load["firstline"]["rates"]:
        used = one["processor_ms_a_message"]
        assert used["firstline"] > 0
        assert used["postgresql"] > 0
        assert used["nlu"] > 0


def test_the_desk_shows_what_customers_write_to_all_pages(environment: dict[str, str]) -> None:
    asked = ["bench", "desk", "--pages", "6", "--requests", "30", "--seconds", "3", "--json"]
    done = subprocess.run(
        [*FIRSTLINE, *asked], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    told = json.loads(done.stdout)
    assert (told["pages"], told["requests"]) == (6, 30)
    for name in ("queue_opens_ms", "message_seen_ms", "request_seen_by_all_ms"):
        assert told[name]["count"] > 0
        assert 0 < told[name]["median"] <= told[name]["p95"] <= told[name]["most"]
