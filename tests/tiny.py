"""Tiny randomly initialised models of every family that is supported, with real tokenizers."""

from functools import cache
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AlbertConfig,
    AutoModelForMaskedLM,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from inbedder_core.encoder import InBedder
from inbedder_core.schema import ModelSpec

CORPUS = [
    "I love cats, and my dog loves the garden.",
    "What animal is mentioned? What emotion is expressed here?",
    "The waiter was slow but the sushi in New York was wonderful!",
    "### Input: ### Instruction: ### Response:",
    "Breaking news: the river rose two metres on Tuesday; nobody was hurt.",
]

_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_WIDE = {**_SMALL, "intermediate_size": 64}

CONFIGS: dict[str, tuple[str, type, dict[str, Any]]] = {
    "roberta": (
        "bpe",
        RobertaConfig,
        {**_WIDE, "max_position_embeddings": 66, "type_vocab_size": 1},
    ),
    "bert": ("wordpiece", BertConfig, {**_WIDE, "max_position_embeddings": 64}),
    "distilbert": (
        "wordpiece",
        DistilBertConfig,
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64},
    ),
    "mpnet": ("wordpiece", MPNetConfig, {**_WIDE, "max_position_embeddings": 66}),
    "albert": (
        "unigram",
        AlbertConfig,
        {**_WIDE, "embedding_size": 16, "max_position_embeddings": 64},
    ),
    "electra": (
        "wordpiece",
        ElectraConfig,
        {**_WIDE, "embedding_size": 16, "max_position_embeddings": 64},
    ),
    "deberta-v2": (
        "unigram",
        DebertaV2Config,
        {
            **_WIDE,
            "max_position_embeddings": 64,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 16,
            "type_vocab_size": 0,
        },
    ),
    "deberta-v2-new": (
        "unigram",
        DebertaV2Config,
        {**_WIDE, "max_position_embeddings": 64, "type_vocab_size": 0, "legacy": False},
    ),
    "modernbert": (
        "bpe",
        ModernBertConfig,
        {**_WIDE, "max_position_embeddings": 64, "reference_compile": False},
    ),
}


@cache
def tokenizer(kind: str, type_ids: bool) -> PreTrainedTokenizerFast:
    """A tokenizer of one of the three kinds, trained on the corpus above."""
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    names |= {"cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
    specials = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    if kind == "bpe":
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=specials,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        pair = "<s> $A </s> </s> $B </s>"
    elif kind == "unigram":
        backend = Tokenizer(models.Unigram())
        backend.normalizer = normalizers.NFKC()
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
        backend.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=200, special_tokens=specials, unk_token="<unk>"
        )
        pair = "<s>:0 $A:0 </s>:0 $B:1 </s>:1"
    else:
        backend = Tokenizer(models.WordPiece(unk_token="<unk>"))
        backend.normalizer = normalizers.BertNormalizer()
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=specials)
        pair = "<s>:0 $A:0 </s>:0 $B:1 </s>:1"
    backend.train_from_iterator(CORPUS, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair=pair,
        special_tokens=[(s, backend.token_to_id(s)) for s in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=64,
        model_input_names=["input_ids", "attention_mask", *(["token_type_ids"] * type_ids)],
        **names,
    )


@cache
def model(family: str) -> tuple[Any, PreTrainedTokenizerFast]:
    """A tiny model of a family, with its tokenizer."""
    kind, config_class, options = CONFIGS[family]
    words = tokenizer(kind, type_ids=family in ("bert", "electra", "albert"))
    ids = {
        "pad_token_id": 1 if kind == "bpe" else words.pad_token_id,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    torch.manual_seed(0)
    config = config_class(vocab_size=len(words), **ids, **options)
    return AutoModelForMaskedLM.from_config(config).eval(), words


def tiny_encoder(family: str, method: Any = "card") -> InBedder:
    """An encoder around a tiny model, in float32."""
    network, words = model(family)
    return InBedder(network, words, ModelSpec(family, family, method), dtype="float32")
