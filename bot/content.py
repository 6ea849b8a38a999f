"""What a process talks about: a pack, with the settings of a shop file put over its own, and that file's shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import flows
from bot.clients import shop_file as shop_files
from bot.clients.shop import Shop
from bot.errors import SettingsInvalid
from flows.load import PACKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a worker talks about: a pack, and the small shop that the demo CRM knows."""

    pack: flows.Pack
    shop: Shop


def pack_folder(name: str) -> Path:
    """The folder of a shipped pack, or of one of one's own (a path). SettingsInvalid when there is none."""
    for folder in (PACKS / name, Path(name).expanduser()):
        if (folder / "pack.yml").is_file():
            return folder
    shipped = ", ".join(sorted(path.parent.name for path in PACKS.glob("*/pack.yml")))
    raise SettingsInvalid(f"There is no pack {name!r}: neither a shipped one ({shipped}) nor a folder with a pack.yml.")


def load_content(pack_name: str, shop_file: Path | None = None, *, now: datetime) -> Content:
    """Load a pack and a shop file (default: the pack's demo shop; a pack without one has an empty shop).

    Raises PackInvalid and ShopInvalid with all problems at once. `now` is what relative dates of the shop file count from.
    """
    folder = pack_folder(pack_name)
    pack = flows.load(folder)
    path = shop_file or folder / "demo" / "shop.yml"
    if shop_file is None and not path.is_file():
        return Content(pack=pack, shop=Shop())
    shop = shop_files.load(path, now=now, pack=pack)
    return Content(pack=pack.with_settings(shop.settings), shop=shop)
