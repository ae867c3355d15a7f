"""What the page opens with is what the code would compute now."""

import json

import numpy as np

from inbedder_core.exploration import explore
from inbedder_core.export import from_dict
from inbedder_core.registry import ASSETS
from inbedder_core.samples import sample

OPENING = from_dict(json.loads((ASSETS / "opening.json").read_text(encoding="utf-8")))


def test_the_opening_is_up_to_date(encoder):
    pets = sample("pets")
    fresh = explore(pets.collection, pets.starters, encoder=encoder)
    assert OPENING.collection == fresh.collection
    assert OPENING.settings == fresh.settings
    for saved, now in zip(OPENING.views, fresh.views, strict=True):
        assert saved.instruction == now.instruction
        np.testing.assert_allclose(saved.encoding.embeddings, now.encoding.embeddings, atol=1e-3)
        np.testing.assert_array_equal(saved.clustering.labels, now.clustering.labels)
        assert saved.clustering.names == now.clustering.names
        np.testing.assert_allclose(saved.heatmap, now.heatmap, atol=1e-3)
        # UMAP's points depend on the processor's rounding; how far they can be trusted does not.
        assert abs(saved.projection.trust.mean() - now.projection.trust.mean()) < 0.15


def test_it_shows_what_the_project_is_about():
    animal, feeling = OPENING.views
    assert animal.label_match["animal"] > 0.8 > 0.2 > animal.label_match["feeling"]
    assert feeling.label_match["feeling"] > 0.8 > 0.2 > feeling.label_match["animal"]
