"""Uploads of the VK stand-in: a server for the bytes, saving, and the name by which a message attaches them, as documented."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8")
PHOTO_BYTES, DOCUMENT_BYTES = 50 * 2**20, 200 * 2**20
PROGRAMS = (".exe", ".apk", ".mp3")
# names of documents that VK does not take


class Refused(Exception):
    """An error of the API, by code."""

    def __init__(self, code: int, text: str = "refused") -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Uploaded:
    """A file that was saved, and may be attached."""

    kind: str
    # photo, doc
    name: str
    data: bytes = field(repr=False)


class Uploads:
    """What the community has uploaded."""

    def __init__(self, group: int) -> None:
        self.saved: dict[str, Uploaded] = {}
        # by what a message names it with
        self._group = group
        self._numbers = itertools.count(1)
        self._waiting: dict[str, Uploaded] = {}
        # uploaded, not saved

    def call(self, method: str, form: Mapping[str, str], *, url: str, rights: Collection[str]) -> Any:
        """The methods photos.* and docs.*."""
        if method.partition(".")[0] not in rights:
            raise Refused(15, "Access denied: no access to call this method")
        match method:
            case "photos.getMessagesUploadServer" | "docs.getMessagesUploadServer" if not form.get("peer_id"):
                raise Refused(100, "One of the parameters specified was missing or invalid: peer_id is undefined")
            case "photos.getMessagesUploadServer":
                return {"album_id": -64, "upload_url": f"{url}/upload/photo", "group_id": self._group, "user_id": 0}
            case "docs.getMessagesUploadServer":
                return {"upload_url": f"{url}/upload/file"}
            case "photos.saveMessagesPhoto":
                found = self._waiting.pop(form.get("hash", ""), None)
                if found is None or form.get("photo") in (None, "", "[]"):
                    raise Refused(100, "One of the parameters specified was missing or invalid: photos_list is invalid")
                return [self._save("photo", found)]
            case "docs.save":
                found = self._waiting.pop(form.get("file", ""), None)
                if found is None:
                    raise Refused(105, "Couldn't save file")
                found.name = form.get("title") or found.name
                return {
                    "type": "doc",
                    "doc": {**self._save("doc", found), "title": found.name, "size": len(found.data)},
                }
        raise Refused(3, "Unknown method passed")

    def _save(self, kind: str, found: Uploaded) -> Json:
        number, key = next(self._numbers), f"key{next(self._numbers)}"
        self.saved[f"{kind}{-self._group}_{number}_{key}"] = found
        return {"id": number, "owner_id": -self._group, "access_key": key}

    def take(self, kind: str, form: Mapping[str, Any]) -> Json:
        """What the upload server answers. A picture that is none gives an empty list, as VK does."""
        part = form.get(kind)
        if not isinstance(part, web.FileField):
            return {"error": "no_file"}
        data, secret = part.file.read(), f"secret{next(self._numbers)}"
        if kind == "photo":
            if not data.startswith(PICTURES) or len(data) > PHOTO_BYTES:
                return {"server": 1, "photo": "[]", "hash": secret}
            self._waiting[secret] = Uploaded("photo", part.filename, data)
            return {"server": 1, "photo": json.dumps([{"photo": secret}]), "hash": secret}
        if part.filename.lower().endswith(PROGRAMS) or len(data) > DOCUMENT_BYTES:
            return {"error": "bad_file", "error_descr": "This file cannot be uploaded"}
        self._waiting[secret] = Uploaded("doc", part.filename, data)
        return {"file": secret}

    def named(self, attachment: str) -> Uploaded | None:
        """The file that a message attaches; Refused when there is no such."""
        if not attachment:
            return None
        if attachment not in self.saved:
            raise Refused(100, "One of the parameters specified was missing or invalid: attachment is invalid")
        return self.saved[attachment]
