"""A name for one message that is meant to go out once: the same at every try, and telling nothing."""

from __future__ import annotations

import hashlib
import hmac
import json


def fingerprint(key: str, *parts: object) -> str:
    """
    Name these parts, so that the same key and parts give the same name, and the name gives neither away.

    :param key: The API key of the number; without it nobody can try out which recipient a name stands for.
    :param parts: Anything that JSON can express; other things count by their text.
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hmac.new(key.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
