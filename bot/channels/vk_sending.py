"""Files that go out by VK: uploaded to the server that VK names, saved, and then attached to a message.

All of it may be done again without harm: what was uploaded and never attached nobody sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from bot.channels import OutFile
from bot.channels.vk_calls import RIGHT_MISSING, VkCalls
from bot.errors import ChannelStopped, Rejected, RetryLater

MOST_PHOTO = 50 * 2**20
MOST_FILE = 200 * 2**20
"""Bytes that VK takes."""
SECONDS = 30.0
# that the upload server may be silent
PHOTOS = ("image/jpeg", "image/png", "image/gif")
_NO_PHOTO = {100, 114, 118, 121, 129, 301}
# errors of saving that mean the picture: as a document it is taken


class _NoPhoto(Exception):
    """VK does not take it as a photo."""


async def uploaded(call: VkCalls, peer: str, file: OutFile, *, api_base: str) -> str:
    """Upload a file for a dialogue; return what `messages.send` attaches. Raises RetryLater, Rejected or ChannelStopped."""
    if not file.data or len(file.data) > MOST_FILE:
        raise Rejected(f"VK takes files of 1 to {MOST_FILE} bytes.")
    try:
        if file.kind == "photo" and file.mime in PHOTOS and len(file.data) <= MOST_PHOTO:
            try:
                return await _photo(call, peer, file, api_base)
            except _NoPhoto:
                pass
        return await _document(call, peer, file, api_base)
    except ChannelStopped as error:
        if getattr(error.__cause__, "code", None) in RIGHT_MISSING:  # texts still go out
            raise Rejected("VK: the token lacks the right to photos or documents.") from error
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise RetryLater("VK's answer on an upload cannot be read.", after=5.0) from error


async def _photo(call: VkCalls, peer: str, file: OutFile, api_base: str) -> str:
    server = await call("photos.getMessagesUploadServer", {"peer_id": peer})
    told = await _post(str(server["upload_url"]), "photo", file, api_base)
    if told.get("error") or told["photo"] in ("", "[]"):
        raise _NoPhoto
    try:
        [saved] = await call(
            "photos.saveMessagesPhoto", {"photo": told["photo"], "server": told["server"], "hash": told["hash"]}
        )
    except Rejected as error:
        if getattr(error.__cause__, "code", None) in _NO_PHOTO:
            raise _NoPhoto from error
        raise
    return _attached("photo", saved)


async def _document(call: VkCalls, peer: str, file: OutFile, api_base: str) -> str:
    server = await call("docs.getMessagesUploadServer", {"peer_id": peer, "type": "doc"})
    told = await _post(str(server["upload_url"]), "file", file, api_base)
    if told.get("error"):
        raise Rejected(f"VK does not take this file ({str(told['error'])[:60]}).")
    saved = await call("docs.save", {"file": told["file"], "title": file.name})
    return _attached("doc", saved["doc"])


def _attached(kind: str, saved: Mapping[str, Any]) -> str:
    key = f"_{saved['access_key']}" if saved.get("access_key") else ""
    return f"{kind}{int(saved['owner_id'])}_{int(saved['id'])}{key}"


async def _post(url: str, field: str, file: OutFile, api_base: str) -> Mapping[str, Any]:
    """Hand the bytes to the upload server that VK has named."""
    target, base = httpx.URL(url), httpx.URL(api_base)
    if target.scheme != "https" and (target.scheme, target.host, target.port) != (base.scheme, base.host, base.port):
        raise Rejected("VK's upload server has no safe address.")
    try:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False, follow_redirects=False) as http:
            answer = await http.post(target, files={field: (file.name, file.data, file.mime)})
    except httpx.HTTPError as error:
        raise RetryLater(f"VK's upload server cannot be reached ({type(error).__name__}).", after=5.0) from error
    if answer.status_code == 413:
        raise Rejected("VK's upload server finds the file too large.")
    if answer.status_code != 200:
        raise RetryLater(f"VK's upload server answers with status {answer.status_code}.", after=10.0)
    told = answer.json()
    if not isinstance(told, dict):
        raise ValueError("no object")
    return told
