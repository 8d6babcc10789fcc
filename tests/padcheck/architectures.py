"""The text models of ``transformers``, made tiny from their configurations."""

from __future__ import annotations

import contextlib
import copy
import inspect
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from zoo.entries import Problem, Ragged, Specimen, mask_of

LENGTHS = [9, 4, 7, 2]
LEAST, WORDS = 5, 50  # ids below 5 may be special tokens
MOST_PARAMETERS = 3_000_000

# What a configuration calls its sizes, and how small they can be.
SIZES: dict[int, tuple[str, ...]] = {
    64: ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_length",
         "max_sequence_length", "max_encoder_position_embeddings", "max_source_positions",
         "max_decoder_position_embeddings", "max_target_positions"),
    WORDS: ("vocab_size", "encoder_vocab_size", "decoder_vocab_size", "src_vocab_size",
            "tgt_vocab_size", "vocab_size_per_layer_input"),
    32: ("intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "n_inner",
         "d_inner", "hidden_dim", "ffn_hidden_size", "moe_intermediate_size", "expert_ffn_dim",
         "shared_expert_intermediate_size", "feed_forward_size", "dim_ff", "mamba_d_ssm",
         "shared_intermediate_size", "mamba_expand_size", "dense_intermediate_size",
         "mlp_hidden_size", "intermediate_size_mlp", "moe_shared_expert_intermediate_size"),
    16: ("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "embedding_size", "emb_dim",
         "hidden_size_per_layer_input", "projection_dim", "attention_hidden_size",
         "block_dim", "lru_width", "word_embed_proj_dim", "intra_bottleneck_size",
         "true_hidden_size", "linear_num_value_heads_size", "embedding_hidden_size"),
    8: ("head_dim", "attention_head_size", "d_kv", "d_head", "v_head_dim", "kv_channels",
        "dim_head", "linear_key_head_dim", "linear_value_head_dim", "mamba_head_dim",
        "mamba_headdim", "index_head_dim", "q_lora_rank", "kv_lora_rank", "key_length",
        "global_head_dim", "swa_head_dim", "qk_head_dim"),
    4: ("state_size", "mamba_d_state", "ssm_state_size", "qk_rope_head_dim", "qk_nope_head_dim",
        "num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts", "chunk_size",
        "time_step_rank", "mamba_dt_rank", "num_hidden_groups_size", "rotary_dim",
        "mamba_chunk_size", "attention_window", "sliding_window", "local_attention"),
    2: ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers",
        "decoder_layers", "num_encoder_layers", "num_decoder_layers", "num_attention_heads",
        "n_head", "n_heads", "num_heads", "encoder_attention_heads", "decoder_attention_heads",
        "num_key_value_heads", "num_experts_per_tok", "linear_num_key_heads",
        "linear_num_value_heads", "mamba_n_heads", "mamba_num_heads", "index_n_heads",
        "num_swa_key_value_heads", "num_decoder_attention_heads", "num_encoder_attention_heads"),
    1: ("n_groups", "mamba_n_groups", "n_group", "topk_group", "n_shared_experts", "num_blocks",
        "first_k_dense_replace", "eos_token_id"),
    0: ("pad_token_id",),
}  # fmt: skip
TINY = {name: size for size, names in SIZES.items() for name in names}
# What a few need besides.
OWN: dict[str, dict[str, Any]] = {
    "esm": {"vocab_size": WORDS, "pad_token_id": 0, "mask_token_id": 4},
    "funnel": {"block_sizes": [1, 1], "block_repeats": [1, 1]},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 4},
    "led": {"attention_window": [4, 4]},
    "longformer": {"attention_window": [4, 4]},
    "nemotron": {"head_dim": 8},
    "xmod": {"default_language": "en_XX"},
    "zaya": {"num_experts_per_tok": 1},
}
# Their decoder's ids have to be given: they get the encoder's.
WANT_TARGETS = {
    "blenderbot", "blenderbot-small", "longt5", "m2m_100", "marian", "mt5", "nllb-moe", "pegasus",
    "pegasus_x", "prophetnet", "switch_transformers", "t5", "umt5",
}  # fmt: skip


def configurations() -> Iterator[tuple[str, type[nn.Module], Any]]:
    """Key, class and configuration class of every model that reads token ids and nothing else."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    transformers.logging.set_verbosity_error()
    seen = set()
    for key, names in MODEL_MAPPING_NAMES.items():
        for name in (names,) if isinstance(names, str) else names:
            with contextlib.suppress(AttributeError, ImportError):
                kind = getattr(transformers, name)
                taken = inspect.signature(kind.forward).parameters
                main = kind.main_input_name == "input_ids" or "Text" in name
                text = "input_ids" in taken and main
                other = {"pixel_values", "input_features", "input_values", "bbox"} & {*taken}
                if text and not other and name not in seen:
                    seen.add(name)
                    yield key, kind, CONFIG_MAPPING[key]


def tiny_configuration(key: str, kind: type[Any]) -> Any:
    """The configuration with small sizes, where it has such sizes, for two layers."""
    usual = kind()
    small = {k: v for k, v in TINY.items() if isinstance(getattr(usual, k, None), int)}
    small |= {
        k: [v[0], v[-1]]
        for k, v in vars(usual).items()
        if isinstance(v, list) and len(v) == getattr(usual, "num_hidden_layers", None)
    }
    if "qk_rope_head_dim" in small and "head_dim" in small:
        small["head_dim"] = small["qk_rope_head_dim"]
    rope = getattr(usual, "rope_parameters", None)
    if isinstance(rope, dict) and "mrope_section" in rope:
        small["rope_parameters"] = {**rope, "mrope_section": [2, 1, 1]}
    small = {k: v for k, v in small.items() if _settable(usual, k, v)}
    config = kind(**{**small, **OWN.get(key, {})})
    config.use_cache = False
    # The grouped product of experts knows no double precision.
    config._experts_implementation = "eager"
    return config


def _settable(config: Any, name: str, value: Any) -> bool:
    """Whether it is a size of its own: no second name, and nothing that is computed."""
    if name in getattr(config, "attribute_map", {}):
        return False
    try:
        setattr(copy.deepcopy(config), name, value)
    except (AttributeError, NotImplementedError):
        return False
    return True


def tiny_model(key: str, kind: type[nn.Module], configuration: type[Any]) -> nn.Module:
    """A small model with random weights.

    Raises:
        ValueError: the configuration's sizes do not make it small.
    """
    config = tiny_configuration(key, configuration)
    with torch.device("meta"):
        size = sum(p.numel() for p in kind(config).parameters())
    if size > MOST_PARAMETERS:
        raise ValueError(f"{size} parameters")
    torch.manual_seed(0)
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # none is zero, as many are at first
            if parameter.is_floating_point():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def answer(model: nn.Module, ids: Tensor, lengths: Tensor) -> Tensor:
    """The last hidden state for ids and their mask, where the model takes one."""
    given = {"input_ids": ids}
    if "attention_mask" in inspect.signature(model.forward).parameters:
        given["attention_mask"] = mask_of(ids, lengths).long()
    if model.config.model_type in WANT_TARGETS:
        given["decoder_input_ids"] = ids
    return model(**given)[0]


def text(pad: int | None) -> Problem:
    """Token ids of several lengths; padding holds ``pad``, or any of them."""
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(LEAST, WORDS, (n,), generator=generator) for n in LENGTHS]
    return Problem(Ragged(rows, pad, WORDS))


def specimen_of(name: str, model: nn.Module) -> Specimen:
    """The model as an entry for brute force, whatever its verdict will be."""
    return Specimen(
        name, "steps", lambda: model, lambda *_: text(None), call=answer, tolerance=1e-6
    )


@contextlib.contextmanager
def double_throughout() -> Iterator[None]:
    """Models that ask for single precision inside, in norms for example, get double."""
    with (
        warnings.catch_warnings(),
        mock.patch.object(torch, "float32", torch.float64),
        mock.patch.object(torch, "float", torch.float64),
        mock.patch.object(Tensor, "float", Tensor.double),
    ):
        warnings.simplefilter("ignore")
        yield
