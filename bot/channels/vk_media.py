"""What customers attach in VK: how it is called, and the bytes of it, from VK's own servers only."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx

from bot.channels import Media, clean
from bot.errors import Rejected, RetryLater

HOSTS = ("userapi.com", "vk.com", "vk.ru", "vkuser.net", "vkuseraudio.com", "vkuseraudio.net", "vkuservideo.net")
"""VK's own: an address that a customer's message brings is asked nowhere else (it could be one of our network's)."""
REDIRECTS = 4
MOST = 30
# attachments read of one message
FORWARDED = 300
# characters shown of what was forwarded
_KINDS = {
    "photo": "photo", "graffiti": "photo", "video": "video", "audio_message": "voice", "sticker": "sticker",
    "doc": "file", "audio": "file",
}  # fmt: skip


# ------------------------------------------------------------------------------------------------------- mapping
def attachments(message: Mapping[str, Any]) -> tuple[Media, ...]:
    """What is attached to a message, the place and what is forwarded included; without bytes there is no `ref`."""
    return tuple(media for media, _ in zip(_found(message, depth=0), range(MOST), strict=False))


def _found(message: Mapping[str, Any], *, depth: int) -> Iterator[Media]:
    for one in message.get("attachments") or ():
        yield _attachment(one)
    if place := (message.get("geo") or {}).get("coordinates"):
        yield Media("place", f"{place.get('latitude')}, {place.get('longitude')}")
    for forwarded in message.get("fwd_messages") or ():
        text = clean(forwarded.get("text"))
        yield Media("file", f"forwarded: {text[:FORWARDED]}" if text else "forwarded message")
        if depth < 3:
            yield from _found(forwarded, depth=depth + 1)


def _attachment(attachment: Mapping[str, Any]) -> Media:
    kind = str(attachment["type"])
    content = attachment.get(kind)
    content = content if isinstance(content, Mapping) else {}
    media = _KINDS.get(kind, "file")
    match kind:
        case "photo":
            best = _largest([*(content.get("sizes") or ()), *filter(None, [content.get("orig_photo")])])
            return Media(media, ref=_address(best), mime="image/jpeg" if best else None)
        case "graffiti":
            return Media(media, ref=_address(content), mime="image/png")
        case "sticker":
            best = _largest(content.get("images") or ())
            return Media(media, ref=_address(best), mime="image/png" if best else None)
        case "audio_message":
            if ogg := content.get("link_ogg"):
                return Media(media, ref=_address({"url": ogg}), mime="audio/ogg")
            return Media(media, ref=_address({"url": content.get("link_mp3")}), mime="audio/mpeg")
        case "doc" | "audio":
            size, title = content.get("size"), clean(content.get("title")) or None
            mime, _ = mimetypes.guess_type(f"file.{content.get('ext') or ('mp3' if kind == 'audio' else '')}")
            return Media(media, title, _address(content), size if isinstance(size, int) else None, mime)
        case "wall" | "market":
            owner = next((content[name] for name in ("owner_id", "to_id", "from_id") if content.get(name)), None)
            address = f"https://vk.com/{kind}{owner}_{content.get('id')}" if owner else kind
            return Media(media, " ".join(filter(None, [clean(content.get("title")), address])))
    name = content.get("url") if kind == "link" else content.get("title")
    return Media(media, clean(name) or (None if kind in _KINDS else kind))


def _largest(sizes: Any) -> Mapping[str, Any]:
    known = [one for one in sizes if isinstance(one, Mapping) and one.get("url")]
    return max(known, key=lambda one: (one.get("width") or 0) * (one.get("height") or 0), default={})


def _address(content: Mapping[str, Any]) -> str | None:
    address = content.get("url")
    return address if isinstance(address, str) and address.startswith(("https://", "http://")) else None


# ------------------------------------------------------------------------------------------------------- fetching
async def fetch(ref: str, *, api_base: str, seconds: float) -> AsyncIterator[bytes]:
    """The bytes of an attachment. Raises RetryLater, or Rejected for what is gone or is not at VK's."""
    address = ref
    async with httpx.AsyncClient(timeout=seconds, trust_env=False, follow_redirects=False) as http:
        for _ in range(REDIRECTS):
            url = _allowed(address, api_base)
            try:
                async with http.stream("GET", url, headers={"User-Agent": "firstline"}) as answer:
                    if answer.has_redirect_location:
                        address = str(url.join(answer.headers["location"]))
                        continue
                    _check(answer)
                    async for piece in answer.aiter_bytes():
                        yield piece
                    return
            except httpx.HTTPError as error:
                raise RetryLater(f"The attachment cannot be fetched ({type(error).__name__}).", after=10.0) from error
    raise Rejected("The attachment's address leads nowhere.")


def _allowed(address: str, api_base: str) -> httpx.URL:
    try:
        url, base = httpx.URL(address), httpx.URL(api_base)
    except (httpx.InvalidURL, ValueError) as error:
        raise Rejected("The attachment has no address.") from error
    of_vk = url.scheme == "https" and url.port is None
    if of_vk and any(url.host == host or url.host.endswith(f".{host}") for host in HOSTS):
        return url
    if (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port):
        return url
    raise Rejected("The attachment is not on one of VK's servers.")


def _check(answer: httpx.Response) -> None:
    if answer.status_code == 429 or answer.status_code >= 500:
        raise RetryLater(f"The attachment's server answers with status {answer.status_code}.", after=30.0)
    page = answer.headers.get("content-type", "").startswith("text/html") and answer.url.host in ("vk.com", "vk.ru")
    if answer.status_code != 200 or page:  # VK shows a page where a document is no longer to be had
        raise Rejected("VK no longer has the attachment.")
