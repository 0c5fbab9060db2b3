#!/usr/bin/env python3
"""Tiny models of every family that finstill reads, with what transformers computes for them in float64.

    python make_families.py [--seed N] [--out FOLDER] [--only CASE]      (needs torch and transformers)

Each case is a folder: config.json and model.safetensors (a model folder as transformers writes it, weights at random),
golden.safetensors (ids, document lengths, logits, gradients; float64) and golden.json (loss, versions). Documents run one
by one, so that a packed run is compared with unpacked ones. The loss is the mean over every token but the first of its
document. RMSNorm and softmax run in float64 as well; the table of cosines and sines stays float32, as in transformers.
"""
import argparse
import json
import pathlib
import tempfile

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

SMALL = dict(vocab_size=28, hidden_size=16, intermediate_size=14, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
             initializer_range=0.02)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)
LINEAR = dict(rope_type="linear", rope_theta=10000.0, factor=2.5)

# name: (model_type, dtype of the file, changes to SMALL)
CASES = {
    "llama_grouped_tied": ("llama", "bfloat16", dict(tie_word_embeddings=True)),
    "llama_untied": ("llama", "float16", dict(num_key_value_heads=4)),
    "llama_one_key_value_head": ("llama", "bfloat16", dict(num_key_value_heads=1, tie_word_embeddings=True)),
    "llama_biases": ("llama", "bfloat16", dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "llama_head_size": ("llama", "float16", dict(head_dim=6, tie_word_embeddings=True)),
    "llama_rope_llama3": ("llama", "bfloat16", dict(head_dim=8, num_attention_heads=2, num_key_value_heads=1,
                                                    tie_word_embeddings=True, rope_parameters=LLAMA3)),
    "llama_rope_yarn": ("llama", "bfloat16", dict(head_dim=8, num_attention_heads=2, num_key_value_heads=1,
                                                  tie_word_embeddings=True, rope_parameters=YARN)),
    "llama_rope_linear": ("llama", "bfloat16", dict(head_dim=8, num_attention_heads=2, num_key_value_heads=1,
                                                    tie_word_embeddings=True, rope_parameters=LINEAR)),
    "mistral_window": ("mistral", "bfloat16", dict(sliding_window=6)),
    "mistral_full": ("mistral", "float32", dict(sliding_window=None, hidden_size=12, num_attention_heads=3,
                                                num_key_value_heads=1, head_dim=4)),
    "qwen2_tied": ("qwen2", "bfloat16", dict(tie_word_embeddings=True)),
    "qwen2_untied": ("qwen2", "bfloat16", dict(rms_norm_eps=1e-6)),
    "qwen2_window": ("qwen2", "bfloat16", dict(use_sliding_window=True, sliding_window=5, max_window_layers=1,
                                               tie_word_embeddings=True)),
    "qwen2_rope_yarn": ("qwen2", "bfloat16", dict(num_attention_heads=2, num_key_value_heads=1,
                                                  tie_word_embeddings=True, rope_parameters=YARN)),
    "qwen3_head_size": ("qwen3", "bfloat16", dict(head_dim=6)),
    "qwen3_biases": ("qwen3", "bfloat16", dict(head_dim=4, attention_bias=True, tie_word_embeddings=True)),
}
LENGTHS = (9, 1, 14)


def float64_norm(norm):
    epsilon = norm.variance_epsilon

    def forward(x):
        return norm.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon))

    return forward


def randomise(model, generator):
    """Weights large enough that every part matters to the logits."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 2:
                parameter.copy_(noise * (0.5 if "embed" in name else 1.2 / parameter.shape[1] ** 0.5))
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(1 + 0.2 * noise)


def make(name, seed, out):
    family, dtype, changes = CASES[name]
    generator = torch.Generator().manual_seed(seed * 1000 + sorted(CASES).index(name))
    config = AutoConfig.for_model(family, **{**SMALL, **changes})
    model = AutoModelForCausalLM.from_config(config)
    randomise(model, generator)
    model = model.to(getattr(torch, dtype))
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        for file in ("config.json", "model.safetensors"):
            (folder / file).write_bytes((pathlib.Path(temporary) / file).read_bytes())

    # Opened anew: a cast would round the frequencies of the rotation too.
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = float64_norm(module)
    documents = [torch.randint(3, config.vocab_size, (1, n), generator=generator) for n in LENGTHS]
    targets = sum(n - 1 for n in LENGTHS)
    logits, loss = [], 0
    for ids in documents:
        rows = model(ids).logits[0]
        assert rows.dtype == torch.float64
        logits.append(rows.detach())
        loss = loss + torch.nn.functional.cross_entropy(rows[:-1], ids[0, 1:], reduction="sum") / targets
    loss.backward()
    golden = {"ids": torch.cat(documents, 1)[0], "lengths": torch.tensor(LENGTHS), "logits": torch.cat(logits)}
    for parameter_name, parameter in model.named_parameters():
        golden["gradient." + parameter_name] = parameter.grad.contiguous()
    save_file(golden, folder / "golden.safetensors")
    facts = {"loss": loss.item(), "seed": seed, "torch": torch.__version__, "transformers": transformers.__version__}
    (folder / "golden.json").write_text(json.dumps(facts, indent=1) + "\n")
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert size < 60_000, f"{name}: {size} bytes"
    print(f"{name:26} loss {loss.item():.4f}  {size / 1000:.0f} KB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parents[1] / "golden" / "families")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    plain_softmax = torch.nn.functional.softmax
    torch.nn.functional.softmax = lambda x, dim=None, dtype=None: plain_softmax(x, dim=dim)
    for name in CASES:
        if arguments.only in (None, name):
            make(name, arguments.seed, arguments.out)


main()
