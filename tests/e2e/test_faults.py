"""Nothing lost, nothing doubled, in order: real processes are killed while customers write. `firstline bench faults` is the long form."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import pytest

from bot.benches.faults import AT_EACH_PART, Plan, figures, play, scratch
from bot.progress import Steps
from bot.settings import Settings

LONGEST = 90.0
"""Seconds that a recovery may take on a machine that is busy with other tests; the promise of 15 is measured by the bench."""


@pytest.mark.timeout(900)
async def test_nothing_is_lost_or_doubled_and_all_stays_in_order_while_each_part_is_killed(
    nlu: Mapping[str, str],
) -> None:
    settings = Settings(nlu_url=nlu["FIRSTLINE_NLU_URL"], nlu_token=nlu.get("FIRSTLINE_NLU_TOKEN"))
    plan = Plan(seconds=600.0, seed=4, customers=6, pace=5.0, nlu=0, kinds=AT_EACH_PART)
    folder = scratch()
    outcome = await play(settings, Steps(), plan, folder)
    assert not outcome.sums.broken, f"{figures(outcome)} (logs: {folder / 'logs'})"
    assert [one.kind for one in outcome.struck] == list(AT_EACH_PART)
    assert all(one.recovered(LONGEST) for one in outcome.struck), figures(outcome)
    assert outcome.sums.named > 0
    shutil.rmtree(folder, ignore_errors=True)
