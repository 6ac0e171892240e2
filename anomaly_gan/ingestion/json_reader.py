"""Reading JSON that others wrote: strict, bounded, and with a guess where the encoding is wrong."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from .ledger import refuse

MAX_JSON_BYTES = 2**30
HALF = re.compile(r"\\u[dD]")
"""How an escaped half of a surrogate pair begins; whole pairs, too."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def parse_json(name: str, content: bytes) -> Any:
    """The value in ``content``; UTF-8 with or without byte order mark.

    NaN, Infinity and 1e999 are let through as floats: the reader of the field names what is wrong with them.

    Raises:
        InputError: C13 another encoding, C14 no JSON, two values, a key twice, too deep, numbers too long,
            text that is no Unicode.
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            raise refuse(name, "C13", f"is {encoding}, not UTF-8", "save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(name, "C13", f"is not UTF-8, perhaps {_guess(content)}", "save it as UTF-8") from error
    try:
        value = json.loads(text, object_pairs_hook=_no_key_twice)
        if HALF.search(text):  # half a surrogate pair reads without complaint and cannot be written again
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except RecursionError as error:
        raise refuse(name, "C14", "is nested too deeply", "export it again") from error
    except ValueError as error:
        raise refuse(name, "C14", f"is not JSON ({' '.join(str(error).split())[:120]})", "export it again") from error


def kind_of(value: Any) -> str:
    """Which label format a JSON value looks like: labelme, coco, via, one that is known and not read, or unknown."""
    if isinstance(value, list):
        first = value[0] if value and isinstance(value[0], dict) else {}
        if "data" in first and ("annotations" in first or "completions" in first):
            return "Label Studio's own JSON"
        if "image" in first and {"label", "bbox", "poly", "brush", "tag"} & first.keys():
            return "Label Studio's own JSON"  # its short form
        if {"image_id", "category_id"} <= first.keys():
            return "COCO results without photographs"
        return "CreateML" if "image" in first and "annotations" in first else "unknown"
    if not isinstance(value, dict):
        return "unknown"
    if isinstance(value.get("shapes"), list):
        return "labelme"
    if isinstance(value.get("images"), list):
        return "coco"
    if isinstance(value.get("metadata"), dict) and isinstance(value.get("file"), dict) and "project" in value:
        return "VIA 3's project"
    if {"_via_settings", "_via_img_metadata"} & value.keys() or any(
        isinstance(item, dict) and "regions" in item for item in value.values()
    ):
        return "via"
    if isinstance(value.get("objects"), list) and isinstance(value.get("size"), dict):
        return "Supervisely's own JSON"
    if isinstance(value.get("items"), list) and "categories" in value:
        return "Datumaro's own JSON"
    if isinstance(value.get("item"), dict) and isinstance(value.get("annotations"), list):
        return "V7 Darwin's own JSON"
    return "GeoJSON" if value.get("type") in ("FeatureCollection", "Feature") else "unknown"


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:40]!a} stands twice in one object")
    return result


def _guess(content: bytes) -> str:
    if not re.search(rb"[\x80-\xff]{2}", content):  # letters beyond ASCII one by one, as in Riß
        return "Latin-1"
    for encoding in ("gb18030", "shift_jis"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return {"gb18030": "GBK", "shift_jis": "Shift-JIS"}[encoding]
    return "Latin-1"
