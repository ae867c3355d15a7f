"""The encoder equals the published method, and is defined where that one is not."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published import card, repository
from tiny import CONFIGS, model
from tiny import tiny_encoder as tiny

from inbedder_core.encoder import InBedder
from inbedder_core.errors import Cancelled, CheckpointError, InputError
from inbedder_core.heads import HEADS
from inbedder_core.schema import ModelSpec

TEXTS = [
    "I love cats!",
    "My dog loves the garden, and the river too.",
    "The waiter was slow",
    "sushi in New York",
    "nobody was hurt",
]
ANIMAL, EMOTION = "What animal is mentioned?", "What emotion is expressed here?"


@pytest.fixture(params=CONFIGS)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_head_has_a_tiny_model():
    kinds = {model(family)[0].config.model_type for family in CONFIGS}
    assert kinds == set(HEADS) - {"xlm-roberta", "camembert"}  # the same classes as roberta's


@pytest.mark.parametrize("n_masks", [1, 3, 5])
def test_card_parity_for_every_family(family, n_masks):
    published = card(*model(family), TEXTS, ANIMAL, n_masks)
    ours = tiny(family).encode(TEXTS, ANIMAL, n_masks)
    np.testing.assert_allclose(ours, published, atol=1e-5)


@pytest.mark.parametrize("n_masks", [1, 3])
def test_repository_parity_for_every_family(family, n_masks):
    # Short enough for the tiny models' 64 positions.
    texts = ["I love cats!", "The waiter was slow", "sushi", "my dog "]
    published = repository(*model(family), texts, "What animal?", n_masks)
    ours = tiny(family, "repository").encode(texts, "What animal?", n_masks)
    np.testing.assert_allclose(ours, published, atol=1e-5)


def test_answers_are_the_distribution_at_the_masks(family):
    network, tokenizer = model(family)
    inputs = tokenizer(TEXTS[0], ANIMAL + tokenizer.mask_token, return_tensors="pt")
    with torch.no_grad():
        logits = network(**inputs).logits[inputs.input_ids == tokenizer.mask_token_id]
    expected = logits.softmax(-1)[0]
    encoder = tiny(family)
    _, answer = encoder._forward(encoder._prompts.build(TEXTS[:1], [ANIMAL], 1), 1)
    [(ids, probabilities)] = encoder._decode(answer)
    np.testing.assert_allclose(expected[ids].numpy(), probabilities, atol=1e-6)
    assert ids[0] == int(expected.argmax())


def test_bundled_parity(encoder):
    for instruction in (ANIMAL, EMOTION, "topic"):
        published = card(encoder.model, encoder.tokenizer, TEXTS, instruction, 3)
        np.testing.assert_allclose(encoder.encode(TEXTS, instruction), published, atol=1e-5)


def test_bundled_parity_with_one_instruction_per_text(encoder):
    instructions = [ANIMAL, EMOTION, ANIMAL, "topic", "Which city?"]
    published = card(encoder.model, encoder.tokenizer, TEXTS, instructions, 3)
    np.testing.assert_allclose(encoder.encode(TEXTS, instructions), published, atol=1e-5)


def test_bundled_follows_the_instruction(encoder):
    texts = ["I love cat!", "I love dog!", "I dislike cat!"]
    animal = encoder.encode(texts, "What is the animal mentioned here?", normalize=True)
    emotion = encoder.encode(texts, "What is emotion expressed here?", normalize=True)
    assert animal[0] @ animal[2] > animal[0] @ animal[1] + 0.2
    assert emotion[0] @ emotion[1] > emotion[0] @ emotion[2] + 0.2


def test_bundled_answers_are_words(encoder):
    answers = encoder.answers(["We had sushi in New York."], "What food is mentioned?")
    assert answers[0][0][0] == "sushi"
    assert 0.5 < answers[0][0][1] <= 1.0 + 1e-6
    assert encoder.answers(["We had sushi in New York."], "Which city?")[0][0][0] == "new york"


@pytest.mark.parametrize("batch_tokens", [1, 40, 100_000])
def test_batch_size_changes_nothing(family, batch_tokens):
    encoder = tiny(family)
    expected = encoder.encode(TEXTS, ANIMAL)
    np.testing.assert_allclose(
        encoder.encode(TEXTS, ANIMAL, batch_tokens=batch_tokens), expected, atol=1e-5
    )


def test_other_texts_change_nothing(encoder):
    together = encoder.encode([*TEXTS, "word " * 300], ANIMAL)
    alone = np.concatenate([encoder.encode([text], ANIMAL) for text in TEXTS])
    np.testing.assert_allclose(together[:-1], alone, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.randoms())
def test_order_and_duplicates_change_nothing(texts, random):
    encoder = tiny("bert")
    expected = dict(zip(texts, encoder.encode(texts, ANIMAL), strict=True))
    shuffled = texts * 2
    random.shuffle(shuffled)
    for text, row in zip(shuffled, encoder.encode(shuffled, ANIMAL), strict=True):
        np.testing.assert_allclose(row, expected[text], atol=1e-5)


def test_standardised(encoder):
    embeddings = encoder.encode(TEXTS, ANIMAL)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (len(TEXTS), encoder.dim)
    np.testing.assert_allclose(embeddings.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(embeddings.std(1, ddof=1), 1, atol=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "\n", "a", "🐈", "שלום עולם", "\x00", "�" * 3])
def test_odd_texts_are_defined(family, text):
    encoding = tiny(family)([text, TEXTS[0]], ANIMAL)
    assert np.isfinite(encoding.embeddings).all()
    assert not encoding.truncated.any()


def test_no_text(encoder):
    encoding = encoder([], ANIMAL)
    assert encoding.embeddings.shape == (0, encoder.dim)
    assert encoding.answers == ()
    assert encoding.truncated.shape == (0,)


def test_no_instruction(encoder):
    assert np.isfinite(encoder.encode(TEXTS, "")).all()
    np.testing.assert_array_equal(encoder.encode(TEXTS, "  "), encoder.encode(TEXTS, ""))


def test_special_tokens_in_a_text_are_plain_text(family):
    encoder = tiny(family)
    for text in ("<mask>", "I love <mask> and </s> <pad>", "<mask>" * 40):
        encoding = encoder([text, *TEXTS], ANIMAL)
        np.testing.assert_allclose(
            encoding.embeddings[1:], encoder.encode(TEXTS, ANIMAL), atol=1e-5
        )
    prompt = encoder._prompts.build(["a <mask>"], ["b <mask> c"], 2)[0]
    mask_id = encoder.tokenizer.mask_token_id
    assert [i for i, t in enumerate(prompt.input_ids) if t == mask_id] == [
        prompt.first_mask,
        prompt.first_mask + 1,
    ]


def test_bundled_reads_a_mask_in_a_text(encoder):
    answers = encoder.answers(["The actor wore a [MASK] all evening."], "What did the actor wear?")
    assert "mask" in [word for word, _ in answers[0]]


@pytest.mark.parametrize("method", ["card", "repository"])
def test_only_the_text_is_cut(family, method):
    encoder = tiny(family, method)
    long, short = "river " * 500, "river"
    question = "What animal?" if method == "repository" else ANIMAL
    encoding = encoder([long, short], question)
    assert encoding.truncated.tolist() == [True, False]
    cut, whole = encoder._prompts.build([long, short], [question] * 2, 3)
    assert len(cut.input_ids) == encoder.max_length
    for prompt in (cut, whole):
        masks = prompt.input_ids[prompt.first_mask : prompt.first_mask + 3]
        assert masks == [encoder.tokenizer.mask_token_id] * 3
    # What follows the text (the instruction and the masks) is the same for both.
    text_end = whole.input_ids[::-1].index(whole.text_ids[-1]) if method == "card" else 8
    assert cut.input_ids[-text_end:] == whole.input_ids[-text_end:]


def test_a_text_of_50_000_characters(encoder):
    encoding = encoder(["My cat slept on the sofa. " * 2000], ANIMAL)
    assert encoding.truncated.tolist() == [True]
    assert encoding.answers[0][0].text == "cat"


def test_too_long_an_instruction_is_refused_with_a_sentence(encoder):
    with pytest.raises(InputError, match=r"too long.*512 tokens"):
        encoder.encode(TEXTS, "why " * 600)


def test_a_constant_vector_becomes_zeros():
    network, tokenizer = model("bert")
    encoder = InBedder(network, tokenizer, ModelSpec("bert", "bert"), dtype="float32")
    norm = network.cls.predictions.transform.LayerNorm
    kept = norm.weight.detach().clone()
    try:
        norm.weight.data.zero_()
        assert (encoder.encode(TEXTS, ANIMAL) == 0).all()
    finally:
        norm.weight.data.copy_(kept)


@pytest.mark.parametrize(
    ("texts", "instruction", "options", "message"),
    [
        ("one string", ANIMAL, {}, "must be a list"),
        (TEXTS, [ANIMAL], {}, "1 instructions for 5 texts"),
        (TEXTS, ANIMAL, {"n_masks": 0}, "masks must be from 1 to 10, not 0"),
        (TEXTS, ANIMAL, {"n_masks": 11}, "not 11"),
        (TEXTS, ANIMAL, {"batch_tokens": 0}, "tokens in a batch"),
        ([1, 2], ANIMAL, {}, "must be a string"),
    ],
)
def test_bad_calls_are_refused_with_a_sentence(encoder, texts, instruction, options, message):
    with pytest.raises(InputError, match=message):
        encoder.encode(texts, instruction, **options)


def test_reduced_precision_keeps_the_cosine(encoder):
    half = InBedder.from_pretrained(dtype="bfloat16")
    texts = [*TEXTS, *("The cat sat on the mat. " * i for i in range(1, 20))]
    a, b = (e.encode(texts, EMOTION, normalize=True) for e in (encoder, half))
    assert (a * b).sum(1).min() > 0.999


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_the_number_of_cores_changes_nothing(monkeypatch, encoder, cores):
    texts = [f"The cat sat on mat {i}. " * (1 + i % 4) for i in range(80)]
    expected = encoder(texts, ANIMAL, batch_tokens=2048)
    monkeypatch.setattr(encoder, "_cores", cores)
    found = encoder(texts, ANIMAL, batch_tokens=600)
    np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-5)
    for one, other in zip(found.answers, expected.answers, strict=True):
        assert dict(one) == pytest.approx(dict(other), abs=1e-4)


def test_the_callers_number_of_threads_stays(encoder):
    before = torch.get_num_threads()
    encoder.encode(TEXTS * 2, ANIMAL, batch_tokens=40)
    assert torch.get_num_threads() == before


def test_a_thread_that_begins_later_finds_the_callers_number_too(monkeypatch, encoder):
    before, found = torch.get_num_threads(), []
    monkeypatch.setattr(encoder, "_cores", 2)
    encoder.encode(TEXTS * 2, ANIMAL, batch_tokens=40)  # in a pool of threads with a core each
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [before]


def test_progress_and_cancel(encoder):
    seen = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        encoder(TEXTS, ANIMAL, batch_tokens=1, on_progress=stop)
    assert seen == [(1, 5), (2, 5)]


def test_what_comes_after_reading_can_be_cancelled_too(encoder):
    seen = []

    def stop(done: int, total: int) -> None:
        if (done, total) in seen:
            raise Cancelled("stop")
        seen.append((done, total))

    with pytest.raises(Cancelled):
        encoder(TEXTS, ANIMAL, on_progress=stop)
    assert seen[-1] == (5, 5)


def test_an_unknown_architecture_is_refused_by_name():
    network, tokenizer = model("bert")
    kind = network.config.model_type
    try:
        network.config.model_type = "gpt2"
        with pytest.raises(CheckpointError, match="'gpt2'"):
            InBedder(network, tokenizer, ModelSpec("x", "x"))
    finally:
        network.config.model_type = kind


def test_an_unreachable_checkpoint_is_one_sentence(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="needs no download"):
        InBedder.from_pretrained("nobody/no-such-checkpoint-at-all")
    with pytest.raises(CheckpointError, match="no checkpoint 'nonsense'"):
        InBedder.from_pretrained("nonsense")


def test_a_saved_folder_loads(tmp_path):
    network, tokenizer = model("bert")
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = InBedder.from_pretrained(str(tmp_path), dtype="float32")
    np.testing.assert_allclose(
        loaded.encode(TEXTS, ANIMAL), tiny("bert").encode(TEXTS, ANIMAL), atol=1e-5
    )


@pytest.mark.external
def test_golden_values_of_the_card():
    big = InBedder.from_pretrained("KomeijiForce/inbedder-roberta-large", dtype="float32")
    texts = ["I love cat!", "I love dog!", "I dislike cat!"]
    animal = big.encode(texts, "What is the animal mentioned here?", normalize=True)
    emotion = big.encode(texts, "What is emotion expressed here?", normalize=True)
    np.testing.assert_allclose(animal[0] @ animal[1:].T, [0.9374, 0.9917], atol=1e-3)
    np.testing.assert_allclose(emotion[0] @ emotion[1:].T, [0.9859, 0.8537], atol=1e-3)
