"""Embeddings that need not be computed twice, bounded in bytes."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from inbedder_core.schema import Answer, Encoder, Encoding, FloatArray, ModelSpec, OnProgress

_Entry = tuple[FloatArray, tuple[Answer, ...], bool]


class CachedEncoder:
    """An encoder that remembers, the least recently used text being forgotten first.

    The key is (checkpoint, revision, method, masks, answers, instruction, text), hashed: the
    cache holds no text. One cache belongs to one session; it is never shared between visitors.
    """

    def __init__(self, encoder: Encoder, max_bytes: int = 64_000_000) -> None:
        """Starts empty.

        Args:
            encoder: The encoder to ask for what isn't known yet.
            max_bytes: Largest size of the remembered embeddings, in bytes.
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
            rows = zip(fresh.embeddings, fresh.answers, fresh.truncated.tolist(), strict=True)
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
            self.size += entry[0].nbytes
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while self.size > self.max_bytes:
            self.size -= self._entries.popitem(last=False)[1][0].nbytes
