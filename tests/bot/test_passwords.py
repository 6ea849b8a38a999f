"""Passwords: which are taken, and that nothing of them is kept but argon2 digests."""

from __future__ import annotations

import unicodedata

import pytest

from bot import passwords
from bot.errors import FirstlineError, PasswordCommon, PasswordIsName, PasswordLong, PasswordShort


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("коротко12", PasswordShort),
        ("Qwerty12345", PasswordCommon),
        ("1111111111111", PasswordCommon),
        ("абабабабабаб", PasswordCommon),
        ("ПАРОЛЬ12345", PasswordCommon),
        ("anna.petrova", PasswordIsName),
        ("AnnaPetrova2026!", PasswordIsName),
        ("Анна Петрова", PasswordIsName),
        ("ж" * 100 + "abcdef" * 20, PasswordLong),
    ],
)
def test_a_weak_password_is_refused_with_its_reason(password: str, error: type[FirstlineError]) -> None:
    with pytest.raises(error):
        passwords.check(password, "anna.petrova", "Анна Петрова")


@pytest.mark.parametrize("password", ["четыре синих чайника", "Tr0ub4dor&3-anna", "anna likes tea a lot"])
def test_a_long_one_of_ones_own_is_taken(password: str) -> None:
    passwords.check(password, "anna", "Анна")


async def test_a_digest_is_argon2_fits_its_password_only_and_is_another_each_time() -> None:
    first, second = await passwords.digest("четыре синих чайника"), await passwords.digest("четыре синих чайника")
    assert first.startswith("$argon2id$")
    assert first != second
    assert await passwords.fits("четыре синих чайника", first) == (True, None)
    assert await passwords.fits("четыре синих чайнико", first) == (False, None)


async def test_letters_typed_in_two_ways_are_one_password() -> None:
    kept = await passwords.digest("зелёный йогурт")
    assert await passwords.fits(unicodedata.normalize("NFD", "зелёный йогурт"), kept) == (True, None)


async def test_a_weaker_digest_is_replaced() -> None:
    from pwdlib.hashers.argon2 import Argon2Hasher

    weak = Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1).hash("четыре синих чайника")
    fits, newer = await passwords.fits("четыре синих чайника", weak)
    assert fits
    assert newer is not None
    assert "m=65536" in newer


@pytest.mark.parametrize("kept", [None, "", "!", "$1$salt$md5"])
async def test_without_a_digest_no_password_fits(kept: str | None) -> None:
    assert await passwords.fits("", kept) == (False, None)


def test_temporary_passwords_are_taken_and_never_the_same() -> None:
    made = {passwords.temporary() for _ in range(100)}
    assert len(made) == 100
    for one in made:
        passwords.check(one, "anna")
