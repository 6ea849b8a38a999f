"""Passwords: which are good enough, their argon2 digests, and temporary ones. The store sees digests only.

Argon2 takes a tenth of a second of a processor and 64 MB of memory by design: it runs in threads of its own, two at a time.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pwdlib import PasswordHash

from bot.errors import PasswordCommon, PasswordIsName, PasswordLong, PasswordShort

SHORTEST, LONGEST = 10, 200
"""Characters of a password."""
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of temporary passwords: nothing that looks like something else when it is read out."""
GROUPS, GROUP = 3, 5
COMMON = frozenset(  # those of ten characters and more that lists of stolen passwords begin with
    """
    1234567890 12345678910 123456789a 1234567891 0123456789 0987654321 9876543210 1234512345 1122334455 1231231231
    123123123123 123456123456 1234554321 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc q1w2e3r4t5 q1w2e3r4t5y6 qwertyuiop
    qwerty12345 qwerty123456 qwerty1234567890 qwertyqwerty 12345qwerty 123456qwerty asdfghjkl; asdfghjkl123 zxcvbnm123
    qazwsxedcrfv password12 password123 password1234 password12345 password123456 passw0rd123 p@ssw0rd123 passwordpassword
    letmein123 welcome123 welcome1234 administrator admin12345 admin123456 adminadmin changeme123 iloveyou123 1password1
    football123 superman123 dragon12345 monkey12345 sunshine123 princess123 firstline123 firstline1234 telegram123
    йцукенгшщз йцукен12345 йцукен123456 йцукенйцукен 12345йцукен фывапролджэ ячсмитьбю. пароль12345 пароль123456
    парольпароль любовь12345 привет12345 приветпривет администратор наташа12345 спартак1922 zaqwsxcderfv
    """.split()  # noqa: SIM905
)
_ARGON2 = PasswordHash.recommended()
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="passwords")


def check(password: str, *names: str) -> None:
    """Raise PasswordShort, PasswordLong, PasswordCommon or PasswordIsName. `names`: what the person is called."""
    plain = _plain(password)
    if len(plain) < SHORTEST:
        raise PasswordShort
    if len(plain) > LONGEST:
        raise PasswordLong
    folded = plain.casefold()
    if folded in COMMON or len(set(folded)) < 4:
        raise PasswordCommon
    core = _letters(folded)
    for name in names:
        word = _letters(_plain(name).casefold())
        if word and (folded == name.casefold() or (core and core.replace(word, "") == "")):
            raise PasswordIsName


async def digest(password: str) -> str:
    """The argon2 digest of a password."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _ARGON2.hash, _plain(password))


async def fits(password: str, kept: str | None) -> tuple[bool, str | None]:
    """Whether a password is that of a digest, and its new digest when the old one is weaker than what is made today.

    Without a digest, or with one that is none, it takes the same time and never fits.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, _fits, _plain(password)[: LONGEST + 1], kept)


def temporary() -> str:
    """A password for the first sign-in: easy to read out, 74 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


def _fits(password: str, kept: str | None) -> tuple[bool, str | None]:
    if kept is None or not _ARGON2.hashers[0].identify(kept):
        _ARGON2.verify(password, _nobody())
        return False, None
    return _ARGON2.verify_and_update(password, kept)


@cache
def _nobody() -> str:
    """The digest of a password that nobody knows."""
    return _ARGON2.hash(secrets.token_urlsafe(32))


def _plain(text: str) -> str:
    """One spelling for what keyboards spell in different ways."""
    return unicodedata.normalize("NFKC", text)


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalpha())
