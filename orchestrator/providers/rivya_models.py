"""Rivya's list of models, `GET /api/v1/models`.

The names of its fields are documented, the forms of most values are not. So every form that can
mean only one thing is read, and the rest is named as not read: nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.catalog.listing import Listed, Listing
from orchestrator.catalog.spec import KINDS
from orchestrator.providers.base import Fault
from orchestrator.providers.replies import amount, envelope_fault, identifier, mapping, member, word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.providers.base import Reply

#: Members that may hold the list, and those of an entry that may hold the model's id.
_LISTS = ("data", "models", "items", "results")
_IDS = ("id", "model", "model_id", "modelId", "slug")
#: Members of a mapping that says one figure, and of one that names a mode or a kind.
_AMOUNTS = frozenset({"amount", "value", "credits", "base", "max", "characters"})
_NAMES = ("id", "key", "name", "mode", "kind", "type", "value")
#: Members that say that the list goes on elsewhere, without what parts their words; so does every
#: one that begins with `next`.
_MORE = frozenset({"hasmore", "more", "hasnext", "hasnextpage", "truncated", "istruncated"})
#: Members that count all models, all pages, and the most models of one page.
_TOTALS = frozenset({"total", "totalcount", "totalitems", "totalresults", "totalmodels", "count"})
_PAGES = frozenset({"pages", "totalpages", "pagecount", "lastpage"})
_PAGE_SIZES = frozenset({"limit", "perpage", "pagesize"})
#: The words for whether a model can be used, as they are documented.
_AVAILABILITIES = frozenset({"available", "coming_soon", "studio_only"})
#: Kinds that say, alone, as well what comes out as what goes in.
_MADE = frozenset({"video", "audio"})

#: A number in a text; commas only where they part thousands.
_FIGURE = re.compile(r"([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(\.[0-9]+)?")
#: What a word of a mode means: a kind of file, or `reference` where the kind is not told.
_MEANINGS = {
    "text": "text", "t": "text", "prompt": "text", "txt": "text",
    "image": "image", "images": "image", "i": "image", "img": "image", "photo": "image",
    "picture": "image", "frame": "image", "frames": "image", "keyframe": "image",
    "keyframes": "image",
    "video": "video", "videos": "video", "v": "video",
    "audio": "audio", "audios": "audio", "voice": "audio", "sound": "audio", "music": "audio",
    "reference": "reference", "references": "reference", "ref": "reference",
    "file": "reference", "files": "reference", "media": "reference",
}  # fmt: skip
#: Words by which a mode names what comes out, where nothing parts it from what goes in.
_OUTPUT = frozenset({"generation", "generate", "gen", "creation", "create", "output"})
#: What parts the input of a mode from its output, as in `image-to-video` and `i2v`.
_TO = frozenset({"to", "2"})
_WORDS = re.compile(r"\w+")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def read_listing(reply: Reply) -> Listing | Fault:
    """What a reply to the request for the list says, or what went wrong."""
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        document = None
    if not 200 <= reply.status < 300:
        return envelope_fault(reply, mapping(document) or None)
    entries = _entries(document)
    if entries is None:
        return Fault("unreadable", "the reply holds no list of models")
    if not entries:
        return Fault("unreadable", "the list of models is empty, which cannot be meant")
    times = Counter(model for entry in entries if (model := _model(entry)) is not None)
    listed = {m: _listed(m, entry, times[m]) for entry in entries if (m := _model(entry))}
    if not listed:
        return Fault("unreadable", "no entry of the list names a model")
    nameless = len(entries) - times.total()
    is_linked = "next" in _WORDS.findall(reply.headers.get("link", "").lower())
    cut = "it goes on elsewhere" if is_linked else _cut(document, len(entries), nameless)
    return Listing(tuple(listed.values()), cut)


def _entries(document: object, depth: int = 3) -> list[Any] | None:
    """The list's entries: a list, a list in an envelope, or a mapping by id; None for neither."""
    if isinstance(document, list):
        return document
    fields = mapping(document)
    for name in _LISTS:
        inner = fields.get(name)
        if isinstance(inner, list | dict) and depth:
            return _entries(inner, depth - 1)
    if depth < 3 and fields and all(isinstance(value, dict) for value in fields.values()):
        return [{"id": key, **value} for key, value in fields.items()]
    return None


def _model(entry: object) -> str | None:
    """The model's id; an entry may be nothing else."""
    if isinstance(entry, str):
        return identifier(entry)
    return next((found for name in _IDS if (found := identifier(mapping(entry).get(name)))), None)


def _cut(document: object, entries: int, nameless: int) -> str | None:
    """Why models may be missing from what was read."""
    if nameless:
        return f"{nameless} of its entries name no model that can be read"
    for name, value in _members(document):
        figure = _plain_figure(value) or 0
        if value and (name in _MORE or name.startswith("next") or (name, value) == ("rel", "next")):
            return "it goes on elsewhere"
        if name in _PAGES and figure > 1:
            return f"it has {figure:g} pages"
        if name in _TOTALS and figure > entries:
            return "it says that there are more"
        if name in _PAGE_SIZES and 0 < figure <= entries:
            return "it is as long as one page may be"
    return None


def _members(document: object, depth: int = 3) -> Iterator[tuple[str, object]]:
    """The members of a document around its list, whatever envelopes they lie in.

    A name comes in lower case, without what parts its words.
    """
    for name, value in mapping(document).items():
        yield re.sub("[^a-z]", "", name.lower()), value
        # Links stand in a list of their own, each a mapping; so may the models, in theirs.
        inner = value if isinstance(value, list) and name not in _LISTS else [value]
        for item in inner if depth else ():
            yield from _members(item, depth - 1)


class _Unreadable(Exception):
    """A value that could mean several things, or nothing; the text says what it is."""


def _listed(model: str, entry: object, times: int) -> Listed:
    """What one entry says about its model."""
    unread: dict[str, str] = {}
    if times > 1:
        twice = f"the model is listed {times} times"
        return Listed(model, unread=dict.fromkeys(_READERS, twice))
    facts: dict[str, Any] = {}
    for fact, (names, read) in _READERS.items():
        value = member(mapping(entry), *names)
        if value is None:
            continue
        try:
            facts[fact] = read(value)
        except _Unreadable as error:
            unread[fact] = f"`{names[0]}` is {error}"
    modes = facts.get("modes", ())
    read_modes = {mode: _inputs(mode) for mode in modes}
    strange = [mode for mode, inputs in read_modes.items() if not inputs]
    if strange:
        unread["modes"] = f"nothing tells what the mode `{strange[0]}` starts from"
    inputs = frozenset().union(*read_modes.values())
    return Listed(model, **facts, inputs=inputs, unread=unread)


def _inputs(mode: str) -> frozenset[str]:
    """What a mode starts from, by its words; nothing where they do not tell."""
    parts = [part.lower() for part in _PARTS.findall(mode)]
    end = next((at for at, part in enumerate(parts) if part in _TO), None)
    if end is None and (_OUTPUT.intersection(parts) or _is_made(parts)):
        return frozenset()
    return frozenset(_MEANINGS[part] for part in parts[:end] if part in _MEANINGS)


def _is_made(parts: list[str]) -> bool:
    """Whether a mode says no more than a kind that may be what comes out."""
    return {_MEANINGS.get(part) for part in parts} <= _MADE


def _price(value: object) -> float:
    figure = _figure(value)
    found = None if figure is None else amount(figure)
    if found is None:
        raise _Unreadable("no amount of credits")
    return found


def _prompt_limit(value: object) -> int:
    figure = _figure(value)
    if figure is None or figure < 1 or not float(figure).is_integer():
        raise _Unreadable("no number of characters")
    return int(figure)


def _figure(value: object) -> float | None:
    """A number, a text that is one, or a mapping that holds one and no other."""
    if isinstance(value, dict):
        read = {name: _plain_figure(item) for name, item in value.items()}
        numbers = [(name, figure) for name, figure in read.items() if figure is not None]
        is_one = len(numbers) == 1 and numbers[0][0] in _AMOUNTS
        return numbers[0][1] if is_one else None
    return _plain_figure(value)


def _plain_figure(value: object) -> float | None:
    if isinstance(value, str):
        found = _FIGURE.fullmatch(value.strip()[:40])
        return float(found[0].replace(",", "")) if found else None
    return amount(value)


def _text(value: object) -> str:
    found = word(value)
    if found is None:
        raise _Unreadable("no word")
    return found


def _availability(value: object) -> str:
    if isinstance(value, bool):
        return "available" if value else "not available"
    found = _text(value)
    if re.sub("[ -]", "_", found.lower()) not in _AVAILABILITIES:
        raise _Unreadable(f"`{found}`, a word that is not documented")
    return found


def _names(value: object) -> tuple[str, ...]:
    """Names in a list of texts or of mappings, in a mapping of truths, or in one text."""
    if isinstance(value, str):
        value = [part for part in re.split(r"[,;|]", value) if part.strip()]
    if isinstance(value, dict):
        value = [name for name, wanted in value.items() if wanted not in (False, None)]
    if not isinstance(value, list):
        raise _Unreadable("no list of names")
    found = [word(item if isinstance(item, str) else _name_of(item)) for item in value]
    names = tuple(dict.fromkeys(name for name in found if name))
    if None in found:
        raise _Unreadable("a list of which not every entry has a name")
    return names


def _name_of(item: object) -> object:
    return member(mapping(item), *_NAMES)


def _kinds(value: object) -> tuple[str, ...]:
    """Kinds of files, in the order of the tables."""
    kinds = set()
    for name in _names(value):
        # MIME types say it with their first word.
        kind = _MEANINGS.get(name.partition("/")[0].lower())
        if kind not in KINDS:
            raise _Unreadable(f"a list with `{name}`, which is no kind of file that is known")
        kinds.add(kind)
    return tuple(kind for kind in KINDS if kind in kinds)


#: By fact: the members that may hold it, the documented one first, and how they are read.
_READERS: Mapping[str, tuple[tuple[str, ...], Callable[[object], object]]] = {
    "price": (("base_credits", "baseCredits"), _price),
    "billing": (("billing_type", "billingType"), _text),
    "prompt_limit": (("max_prompt_length", "maxPromptLength"), _prompt_limit),
    "availability": (("api_status", "apiStatus"), _availability),
    "modes": (
        ("supported_modes", "supportedModes", "supported_api_inputs", "supportedApiInputs"),
        _names,
    ),
    "references": (("file_kinds", "fileKinds"), _kinds),
}
