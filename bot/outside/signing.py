"""The signature of a call to an outside system, by Standard Webhooks (https://www.standardwebhooks.com).

Signed are the message's id, the moment of the attempt and the body, with dots between: who has the secret knows that we
said this, and that nobody repeats it later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret."""


def key_of(secret: str) -> bytes:
    """The bytes of a secret: base64 of 24 to 64 bytes, with or without `whsec_`. ValueError when it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"must be {PREFIX} and base64 of {SHORTEST} to {LONGEST} random bytes")
    return key


def headers(key: bytes, message_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """The three headers of an attempt. The id stays the same when it is repeated, the moment and the signature do not."""
    moment = str(int(now.timestamp()))
    signed = b".".join((message_id.encode(), moment.encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": moment, "webhook-signature": f"v1,{signature}"}
