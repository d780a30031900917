"""
Which positions of a message hold a keyword of WhatsApp's API, and which hold a file.

Every other position is private: texts, and your own data, such as a flow's data.
The position decides, not the name of the key: ``status`` in the data of a flow is private.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TypeAlias


class Leaf(Enum):
    """The kind of a value at a position without further positions inside."""

    WORD = "a keyword, or a name that everybody who sees the DAG knows"
    FILE = "a media object, which may name a file by its path"
    PRIVATE = "anything else"


# A list has the shape of its items.
Shape: TypeAlias = "Leaf | Mapping[str, Shape]"

_WORD, _FILE = Leaf.WORD, Leaf.FILE
_FILES = dict.fromkeys(("image", "video", "document"), _FILE)

_PARAMETER: Shape = {
    "type": _WORD,
    "parameter_name": _WORD,
    "currency": {"code": _WORD},
    "action": {"sections": {"product_items": {}}},
    **_FILES,
}
_COMPONENT: dict[str, Shape] = {"type": _WORD, "sub_type": _WORD, "index": _WORD, "parameters": _PARAMETER}
_TEMPLATE: Shape = {
    "name": _WORD,
    "namespace": _WORD,
    "language": {"code": _WORD, "policy": _WORD},
    "components": {**_COMPONENT, "cards": {"card_index": _WORD, "components": _COMPONENT}},
}
_HEADER: Shape = {"type": _WORD, **_FILES}
_BUTTON: Shape = {"type": _WORD, "reply": {}, "quick_reply": {}}
_CARD: Shape = {
    "type": _WORD,
    "card_index": _WORD,
    "header": _HEADER,
    "body": {},
    "action": {"name": _WORD, "parameters": {}, "buttons": _BUTTON},
}
_ACTION: Shape = {
    "name": _WORD,
    "parameters": {"flow_message_version": _WORD, "mode": _WORD, "flow_action": _WORD},
    "buttons": _BUTTON,
    "sections": {"rows": {}, "product_items": {}},
    "cards": _CARD,
}

MESSAGE: Shape = {
    "type": _WORD,
    "messaging_product": _WORD,
    "recipient_type": _WORD,
    "category": _WORD,
    "status": _WORD,
    "text": {"preview_url": _WORD},
    "audio": _FILE,
    "sticker": _FILE,
    **_FILES,
    "location": {},
    "contacts": {"name": {}, "phones": {}, "emails": {}, "urls": {}, "addresses": {}, "org": {}},
    "reaction": {},
    "context": {},
    "interactive": {"type": _WORD, "header": _HEADER, "body": {}, "footer": {}, "action": _ACTION},
    "template": _TEMPLATE,
}


def inside(shape: Shape, key: object) -> Shape:
    """
    Return the shape of the value of a key.

    :param shape: The shape of the object.
    :param key: One of its keys.
    """
    return Leaf.PRIVATE if isinstance(shape, Leaf) else shape.get(str(key), Leaf.PRIVATE)


def leaves(value: object, shape: Shape) -> Iterator[tuple[Leaf, str]]:
    """
    List the strings and numbers of a value, each with what its position holds. Keys are not listed.

    :param value: A message, a part of one, or anything else.
    :param shape: The shape that the value ought to have.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, inside(shape, key))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from leaves(item, shape)
    elif value is not None and not isinstance(value, bool):
        yield (Leaf.WORD if shape is Leaf.WORD else Leaf.PRIVATE), str(value)
