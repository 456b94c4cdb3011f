"""Sentences and words of the provider's pages whose meaning is known.

A sentence counts only as a whole: a part that is not known could turn its meaning around.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.catalog.importing.figures import narrow

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Words for characters, the unit in which prompts are limited, in the languages of such sites.
_CHARACTERS = (
    "characters|chars|字元|个字符|字符|個字元|文字|자|글자|อักขระ|ตัวอักษร|caracteres|caractères|caratteri"
    "|Zeichen|tekens|tecken|tegn|znaków|znaky|символов|символа|символів|karakter|ký tự|حرف|حرفًا"
    "|أحرف|वर्ण|अक्षर|תווים|χαρακτήρες|caractere|merkkiä"
)
_LIMIT = re.compile(rf"([1-9][0-9]{{0,6}}|[1-9][0-9]{{0,2}}[,. ][0-9]{{3}}) ?(?:{_CHARACTERS})")

#: What would demand a file, in a sentence that is not known as a whole.
_DEMAND = re.compile(
    "requir|at least|exactly|must|mandatory|необходим|обязательн|не менее|ровно|минимум"
    "|必須|必须|必需|需要|至少|恰好|必填|少なくとも|必要|ちょうど|필수|최소|정확히|필요|จำเป็น|อย่างน้อย|ต้อง"
    "|obligatoir|obligatori|obrigatóri|al menos|au moins|pelo menos|almeno|exact|esatt"
    "|exige|nécess|necess|erforderlich|mindestens|genau|muss|müssen|bắt buộc|ít nhất|phải"
    "|wajib|harus|setidaknya|minimal|zorunlu|gerekli|en az|wymagan|co najmniej|verplicht|minstens"
    "|مطلوب|على الأقل|आवश्यक",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """What a sentence says about references."""

    combinations: tuple[Mapping[str, int], ...]
    #: The same in English.
    text: str


#: The sentence without its label, for each figure in it the combination and the kind that it
#: limits, and the same in English.
_SENTENCES = (
    (
        "โหมดรูปภาพรับรูปได้สูงสุด N รูป และรูปที่สองจะกลายเป็นเฟรมสุดท้าย",
        ((0, "image"),),
        "At most {}; the second one becomes the last frame.",
    ),
    (
        "อัปโหลดไฟล์ภาพได้สูงสุด N ไฟล์สำหรับโปรเจกต์ภาพ",
        ((0, "image"),),
        "At most {}.",
    ),
    (
        "未附加影片時最多使用 N 張圖片;影片編輯時使用 N 段影片,並可搭配最多 N 張圖片參考。",
        ((0, "image"), (1, "video"), (1, "image")),
        "At most {}; or, to edit a video, {} with at most {}.",
    ),
)
_LABEL = re.compile("(?:รูปอ้างอิง|ภาพอ้างอิง|參考媒體): ?")


def known_rule(sentence: str) -> ReferenceRule | None:
    """What a sentence about references says, None where it is not known as a whole."""
    plain = _LABEL.sub("", narrow(sentence), count=1)
    for known, limited, english in _SENTENCES:
        match = re.fullmatch(re.escape(known).replace("N", "([1-9][0-9]{0,2})"), plain)
        if match:
            counts = [int(found) for found in match.groups()]
            return _rule(counts, limited, english)
    return None


def _rule(counts: list[int], limited: tuple[tuple[int, str], ...], english: str) -> ReferenceRule:
    combinations: list[dict[str, int]] = [{} for _ in {index for index, _ in limited}]
    for count, (index, kind) in zip(counts, limited, strict=True):
        combinations[index][kind] = count
    words = [counted(count, kind) for count, (_, kind) in zip(counts, limited, strict=True)]
    return ReferenceRule(tuple(combinations), english.format(*words))


def counted(count: int, kind: str) -> str:
    """Such as `1 image` and `2 images`."""
    return f"{count} {kind}" if count == 1 else f"{count} {kind}s"


def demands_files(sentence: str) -> bool:
    """Whether a sentence may say that files are needed, or how many at least."""
    return bool(_DEMAND.search(sentence))


def prompt_limit(text: str) -> int | None:
    """The number of characters that the whole text is, None where it is something else."""
    match = _LIMIT.fullmatch(narrow(text))
    return int(re.sub("[,. ]", "", match[1])) if match else None


def prompt_limits(text: str) -> set[int]:
    """The whole numbers in a sentence about a prompt's limit, also such as `20,000`."""
    found = re.findall(
        r"(?<![A-Za-z0-9_.])[0-9]{1,3}(?:[,. ][0-9]{3})+(?![0-9])|[0-9]+", narrow(text)
    )
    return {int(re.sub("[,. ]", "", figure)) for figure in found}


def figures(text: str) -> list[int]:
    """The whole numbers in a text, but for those that are a part of a name, such as `v1`."""
    return [int(found) for found in re.findall(r"(?<![A-Za-z0-9_.])\d{1,9}(?![A-Za-z0-9_])", text)]
