#!/usr/bin/env python3
"""Writes tiny GGUF models from cases of tests/golden/families, as converters of Hugging Face folders write them.

    python make_gguf_models.py [--families FOLDER] [--out FOLDER]        (needs PyPI gguf, safetensors and torch)

Importing one must give the weights of its case bit for bit. llama's rows of q and k are reordered for the rotation of
neighbours; the other families' are not.
"""
import argparse
import json
import math
import pathlib

import gguf
import numpy as np
from safetensors.torch import load_file

# family case: (GGUF architecture, type of the matrices)
CASES = {"llama_grouped_tied": ("llama", "BF16"), "llama_biases": ("llama", "F32"), "qwen2_tied": ("qwen2", "F16"),
         "qwen3_head_size": ("qwen3", "BF16"), "llama_rope_llama3": ("llama", "BF16")}
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
         "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
TOKENS = ["<unk>", "<s>", "</s>"] + [chr(ord("a") + i) for i in range(24)] + ["ab"]


def gguf_name(name):
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
             "lm_head.weight": "output.weight"}
    if name in whole:
        return whole[name]
    _, _, block, rest = name.split(".", 3)
    module, kind = rest.rsplit(".", 1)
    return f"blk.{block}.{NAMES[module]}.{kind}"


def interleaved(rows, heads):
    """Row j K/2 + i of a head becomes row 2 i + j."""
    half = rows.shape[0] // heads // 2
    parts = rows.reshape(heads, 2, half, *rows.shape[1:])
    return np.ascontiguousarray(np.swapaxes(parts, 1, 2)).reshape(rows.shape)


def rope_factors(theta, head_size, factor=8.0, low=1.0, high=4.0, context=8192):
    """Llama 3's rule: long wavelengths are divided by the factor, short ones left, those between blended."""
    factors = []
    for i in range(0, head_size, 2):
        wavelength = 2 * math.pi * theta ** (i / head_size)
        if wavelength < context / high:
            factors.append(1.0)
        elif wavelength > context / low:
            factors.append(factor)
        else:
            smooth = (context / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def write(case, families, out):
    architecture, kind = CASES[case]
    config = json.loads((families / case / "config.json").read_text())
    weights = load_file(families / case / "model.safetensors")
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(out / f"{case}.gguf", architecture)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    if architecture == "qwen3" or case == "llama_rope_llama3":
        writer.add_key_length(head_size)
        writer.add_value_length(head_size)
    if architecture == "llama":
        writer.add_rope_dimension_count(head_size)
    if config["rope_parameters"]["rope_type"] == "llama3":
        factors = rope_factors(config["rope_parameters"]["rope_theta"], head_size)
        writer.add_tensor("rope_freqs.weight", factors, raw_dtype=gguf.GGMLQuantizationType.F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3, 3] + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, tensor in weights.items():
        values = tensor.float().numpy()
        for map_name, count in (("q_proj", heads), ("k_proj", kv_heads)):
            if architecture == "llama" and f".{map_name}." in name:
                values = interleaved(values, count)
        stored = gguf.GGMLQuantizationType[kind if values.ndim == 2 else "F32"]
        writer.add_tensor(gguf_name(name), gguf.quants.quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    here = pathlib.Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", type=pathlib.Path, default=here.parent / "families")
    parser.add_argument("--out", type=pathlib.Path, default=here)
    arguments = parser.parse_args()
    for case in CASES:
        write(case, arguments.families, arguments.out)


main()
