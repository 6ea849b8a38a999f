"""Telephone numbers as people write them, as they can be called."""

from __future__ import annotations

import phonenumbers

from bot.errors import PhoneInvalid

REGION = "RU"
"""Where a number without a country's code belongs."""


def read(text: str) -> str:
    """A number in E.164. PhoneInvalid when nobody can be called by it: too short, no such operator or country."""
    try:
        number = phonenumbers.parse(text, REGION)
    except phonenumbers.NumberParseException as error:
        raise PhoneInvalid from error
    if not phonenumbers.is_valid_number(number):
        raise PhoneInvalid
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked(number: str) -> str:
    """A number of which only the last four digits are shown (ruling 31)."""
    return f"•••{number[-4:]}"


def shown(number: str) -> str:
    """A number as an agent dials it: +7 916 123-45-67."""
    return phonenumbers.format_number(phonenumbers.parse(number, REGION), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
