"""Entities of a message: numbers, sums, dates, names, places and goods, with normalised values.

Finders run from the surest to the vaguest; each takes only what no earlier one has taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from nlu.text.entities import amounts, dates, goods, names, numbers, places, relative_dates
from nlu.text.entities.line import Entity, Line
from nlu.text.normalise import Token, normalise

__all__ = ["Entity", "extract"]


def extract(text: str, now: date | datetime | None = None, tokens: Sequence[Token] | None = None) -> list[Entity]:
    """Return what is named in a message, in order and without overlaps.

    `now` is the day that 'вчера' is counted from (today by default); `tokens` are the words of `normalise`, if at hand.
    """
    today = now.date() if isinstance(now, datetime) else now or datetime.now().astimezone().date()
    line = Line(text, normalise(text).tokens if tokens is None else tokens)
    numbers.find_tracking(line)
    numbers.find_phones(line)
    places.find_postcodes(line)
    dates.find_calendar(line, today)
    amounts.find_marked(line)
    numbers.find_orders(line)
    amounts.find_bare(line)
    relative_dates.find_relative(line, today)
    places.find_marked(line)
    names.find(line)
    places.find(line)
    goods.find_delivery(line)
    goods.find_products(line)
    return sorted(line.found, key=lambda entity: entity.start)
