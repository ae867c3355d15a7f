"""The frozen records that travel through the house, and the protocol that an encoder fulfils.

Shapes: ``n`` texts, ``d`` embedding dimensions, ``k`` neighbours, ``m`` heatmap cells a side.
Arrays are NumPy; nothing here imports torch, Plotly or Gradio.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

Method = Literal["card", "repository"]
ProjectionMethod = Literal["umap", "pca", "mds"]

MAX_MASKS = 10
"""Largest number of masks; the published checkpoints use 3."""

OnProgress = Callable[[int, int], None]
"""Called with ``(done, total)`` between batches; raising `Cancelled` from it stops the work."""


class Answer(NamedTuple):
    """One readable word or phrase that the model would put at the masks.

    Attributes:
        text: The word or phrase, as plain text.
        probability: Its share of the language-model head's distribution, in [0, 1].
    """

    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A known checkpoint: where it is, how it is read and what it costs.

    Attributes:
        name: What users type and the page shows.
        source: A local folder, or the ``owner/name`` of a Hugging Face repository.
        method: Which of the two published methods the checkpoint was made for.
        revision: Branch, tag or commit on the hub; None for a local folder.
        title: A few words for menus.
        parameters: Number of parameters; 0 when unknown.
        size_mb: Size of the download in megabytes; 0 when it is bundled or unknown.
        license: SPDX identifier, or "unknown".
    """

    name: str
    source: str
    method: Method = "card"
    revision: str | None = None
    title: str = ""
    parameters: int = 0
    size_mb: int = 0
    license: str = "unknown"


@dataclass(frozen=True, eq=False, slots=True)
class Encoding:
    """What an encoder gives for n texts under one instruction.

    Attributes:
        embeddings: (n, d) float32.
        answers: For every text its top answers, the most probable first.
        truncated: (n,) bool, True where the end of the text did not fit into the model.
    """

    embeddings: FloatArray
    answers: tuple[tuple[Answer, ...], ...]
    truncated: BoolArray


class Encoder(Protocol):
    """Anything that turns texts and an instruction into an `Encoding`."""

    @property
    def spec(self) -> ModelSpec:
        """The checkpoint behind the encoder."""
        ...

    def __call__(
        self,
        texts: Sequence[str],
        instruction: str,
        n_masks: int = 3,
        *,
        top_k: int = 5,
        on_progress: OnProgress | None = None,
    ) -> Encoding:
        """Reads n texts under one instruction."""
        ...


@dataclass(frozen=True, slots=True)
class Collection:
    """Texts, with optional label columns ("facets") of the same length.

    Attributes:
        texts: n texts.
        labels: Facet name -> n labels; an empty string where a text has no label.
        note: One sentence on what was done while reading (rows dropped, encoding guessed), or "".
    """

    texts: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    note: str = ""

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, eq=False, slots=True)
class Projection:
    """A map of n texts.

    Attributes:
        xy: (n, 2) float32, centred; only distances within one map mean anything.
        trust: (n,) float32 in [0, 1], the share of a text's neighbours on the map that are its
            neighbours in the embedding too.
        method: The method that was really used (small collections have their own rule).
    """

    xy: FloatArray
    trust: FloatArray
    method: ProjectionMethod


@dataclass(frozen=True, eq=False, slots=True)
class Clustering:
    """Groups of n texts, the largest first, found on embeddings centred on the collection.

    Attributes:
        labels: (n,) int32, the group of every text in [0, len(names)).
        names: A name for every group, made of the model's answers; all different.
        silhouette: Mean silhouette (cosine) in [-1, 1]; None with fewer than two groups.
    """

    labels: IntArray
    names: tuple[str, ...]
    silhouette: float | None


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """The same n texts seen under one instruction.

    Attributes:
        instruction: The instruction.
        encoding: The raw result of the encoder.
        vectors: (n, d) float32, unit rows that similarities are taken from: the embeddings, or
            the embeddings minus their mean when `Settings.centered`.
        neighbors: (n, k) int32, the nearest other texts, nearest first.
        neighbor_similarity: (n, k) float32 cosine similarities of `neighbors`.
        clustering: The groups.
        projection: The map, aligned with that of the first instruction.
        heatmap: (m, m) float32 cosine similarities in `Exploration.order`; block means if m < n.
        label_match: Facet -> V-measure in [0, 1] between the groups and that facet's labels.
    """

    instruction: str
    encoding: Encoding
    vectors: FloatArray
    neighbors: IntArray
    neighbor_similarity: FloatArray
    clustering: Clustering
    projection: Projection
    heatmap: FloatArray
    label_match: Mapping[str, float]


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """What changes between two instructions.

    Attributes:
        a: Index of the first view.
        b: Index of the second view.
        agreement: In [0, 1]; 1 when both instructions see the same similarities.
        moved: (n,) float32 in [0, 1], the share of a text's neighbours that are others under b.
    """

    a: int
    b: int
    agreement: float
    moved: FloatArray


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that changes a result apart from texts, instructions and checkpoint.

    Attributes:
        n_masks: Number of masks, 1 to 10.
        centered: Subtract the collection's mean embedding before taking similarities.
        n_groups: Number of groups; None chooses it by silhouette.
        projection: Method of the map.
        n_neighbors: UMAP's neighbourhood, 2 to 200.
        min_dist: UMAP's minimum distance, 0 to 0.99.
        sort_by: Index of the view whose leaf order the heatmaps share; None for all together.
        seed: Seed of everything random.
    """

    n_masks: int = 3
    centered: bool = False
    n_groups: int | None = None
    projection: ProjectionMethod = "umap"
    n_neighbors: int = 15
    min_dist: float = 0.1
    sort_by: int | None = 0
    seed: int = 42


@dataclass(frozen=True, eq=False, slots=True)
class Exploration:
    """The result: the same texts under one or more instructions.

    Attributes:
        collection: The texts and their labels.
        views: One view per instruction.
        comparisons: One per pair of views, ``a < b``.
        order: (n,) int32, the order of texts that all heatmaps share.
        model: The checkpoint.
        settings: The settings.
    """

    collection: Collection
    views: tuple[View, ...]
    comparisons: tuple[Comparison, ...]
    order: IntArray
    model: ModelSpec
    settings: Settings
