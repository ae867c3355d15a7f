"""What need not be computed twice, bounded in bytes: embeddings, and all that follows from them."""

import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any, ParamSpec, TypeVar

import numpy as np

from inbedder_core.schema import Answer, Encoder, Encoding, FloatArray, ModelSpec, OnProgress

P = ParamSpec("P")
T = TypeVar("T")
_Entry = tuple[FloatArray, tuple[Answer, ...], bool]


class CachedEncoder:
    """An encoder that remembers, the least recently used text being forgotten first.

    The key is (checkpoint, revision, method, masks, answers, instruction, text), hashed: the
    cache holds no text. One cache belongs to one session; it is never shared between visitors.
    """

    def __init__(self, encoder: Encoder, max_bytes: int = 200_000_000) -> None:
        """Starts empty.

        Args:
            encoder: The encoder to ask for what isn't known yet.
            max_bytes: Largest size of what is remembered, in bytes. 10,000 texts under four
                instructions fit: 1,024 dimensions take 4 kB a text, and its answers 0.5.
        """
        self.encoder = encoder
        self.max_bytes = max_bytes
        self.size = 0
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    @property
    def spec(self) -> ModelSpec:
        """The checkpoint behind the encoder."""
        return self.encoder.spec

    def __call__(
        self,
        texts: Sequence[str],
        instruction: str,
        n_masks: int = 3,
        *,
        top_k: int = 5,
        on_progress: OnProgress | None = None,
    ) -> Encoding:
        """Reads n texts under one instruction; only the texts that are new are computed."""
        keys = [self._key(text, instruction, n_masks, top_k) for text in texts]
        known = {key: self._entries[key] for key in keys if key in self._entries}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new or not texts:
            fresh = self.encoder(
                list(new.values()), instruction, n_masks, top_k=top_k, on_progress=on_progress
            )
            if not texts:
                return fresh
            own = map(np.copy, fresh.embeddings)  # a view would keep all the others in memory
            rows = zip(own, fresh.answers, fresh.truncated.tolist(), strict=True)
            known.update(zip(new, rows, strict=True))
        for key in dict.fromkeys(keys):
            self._remember(key, known[key])
        embeddings, answers, truncated = zip(*(known[key] for key in keys), strict=True)
        return Encoding(np.stack(embeddings), answers, np.array(truncated))

    def _key(self, text: str, instruction: str, n_masks: int, top_k: int) -> bytes:
        spec = self.spec
        parts = (spec.source, spec.revision, spec.method, n_masks, top_k, instruction.strip(), text)
        return blake2b(repr(parts).encode(errors="surrogatepass"), digest_size=16).digest()

    def _remember(self, key: bytes, entry: _Entry) -> None:
        if key not in self._entries:
            self.size += _n_bytes(entry)
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while self.size > self.max_bytes:
            self.size -= _n_bytes(self._entries.popitem(last=False)[1])


class Memo:
    """Results of functions, found again by the content of what went in.

    For functions whose result depends on their arguments alone. A change of the input recomputes
    what depends on it and nothing else, without anybody having to say what that is. Results are
    shared, so nobody may change them. One memo belongs to one session.

    Attributes:
        computed: How often each function has really been called, by its name.
    """

    def __init__(self, max_bytes: int = 32_000_000) -> None:
        """Starts empty.

        Args:
            max_bytes: Largest size of the remembered results, in bytes; the last one always stays.
        """
        self.max_bytes = max_bytes
        self.size = 0
        self.computed: Counter[str] = Counter()
        self._results: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()  # of the books, not of the work

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function, or remembers what it returned for equal arguments.

        Args:
            function: A function of a module. Its name is part of the key.
            args: Arrays, lists of arrays, or what has a faithful ``repr``.
            kwargs: The same.
        """
        named = chain.from_iterable(sorted(kwargs.items()))
        key = _digest(function.__module__, function.__qualname__, *args, *named)
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                known: T = self._results[key][0]
                return known
            self.computed[function.__name__] += 1
        result = function(*args, **kwargs)
        with self._lock:
            self._forget(key)  # another thread may have been here meanwhile
            self._results[key] = result, _n_bytes(result)
            self.size += self._results[key][1]
            while self.size > self.max_bytes and len(self._results) > 1:
                self._forget(next(iter(self._results)))
        return result

    def _forget(self, key: bytes) -> None:
        self.size -= self._results.pop(key, (None, 0))[1]


def _digest(*values: object) -> bytes:
    digest = blake2b(digest_size=16)
    for value in values:
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, np.ndarray):
                digest.update(repr((part.dtype.str, part.shape)).encode())
                digest.update(np.ascontiguousarray(part).data)
            else:
                digest.update(repr(part).encode(errors="surrogatepass"))
        digest.update(b"/")
    return digest.digest()


def _n_bytes(result: object) -> int:
    if isinstance(result, np.ndarray):
        return result.nbytes
    if is_dataclass(result):
        return sum(_n_bytes(getattr(result, field.name)) for field in fields(result))
    if isinstance(result, list | tuple):
        return sum(map(_n_bytes, result))
    return sys.getsizeof(result)
