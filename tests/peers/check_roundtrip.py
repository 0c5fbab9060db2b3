#!/usr/bin/env python3
"""Model folders between finstill and transformers, both ways, through the program itself.

    python check_roundtrip.py [--finstill build/finstill] [--gguf FILE]     (needs torch, transformers, peft)

For every family: `init` makes a model, transformers opens what `export` wrote and must give the same ids and the same
log-likelihoods as `loglikelihood`; then transformers draws new weights, saves them its way, and finstill must agree
again, also with an adapter that PEFT wrote and after `merge`. With --gguf the same is asked of what `import` makes of it.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = ["The net asset value per unit is 1.2047.", "估值对账：两张表相差 3,000.50 元。", "a  b\n\nBreak type: price; 12%"]
SIZES = dict(vocab_size=260, hidden_size=48, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.15)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
FAMILIES = {
    "llama": dict(model_type="llama", tie_word_embeddings=True),
    "llama biases, llama3 rope": dict(model_type="llama", attention_bias=True, mlp_bias=True, rope_parameters=LLAMA3),
    "llama yarn": dict(model_type="llama", rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
                                                                original_max_position_embeddings=32)),
    "mistral": dict(model_type="mistral", sliding_window=16),
    "qwen2": dict(model_type="qwen2", tie_word_embeddings=True),
    "qwen2 window": dict(model_type="qwen2", use_sliding_window=True, sliding_window=16, max_window_layers=1),
    "qwen3": dict(model_type="qwen3", head_dim=16),
}
failures = 0


def check(what, ours, theirs, tolerance=2e-4):
    global failures
    worst = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    good = worst <= tolerance
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {what}: largest difference {worst:.2g}")


def call(program, *arguments, lines=()):
    done = subprocess.run([program, *map(str, arguments)], input="".join(line + "\n" for line in lines), text=True,
                          capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def run(program, *arguments, lines=()):
    return [json.loads(line) for line in call(program, *arguments, lines=lines).splitlines() if line.strip()]


def ours(program, folder, adapter=None):
    extra = ["--adapter", adapter] if adapter else []
    rows = run(program, "loglikelihood", "--model", folder, "--dtype", "float32", *extra,
               lines=[json.dumps({"text": text}) for text in TEXTS])
    return [row["nll_mean"] for row in rows]


@torch.no_grad()
def theirs(model, tokenizer):
    means = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        logits = model(ids).logits[0, :-1].double()
        means.append(torch.nn.functional.cross_entropy(logits, ids[0, 1:]).item())
    return means


def opened(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(folder)


def check_ids(program, what, folder, tokenizer):
    global failures
    rows = run(program, "tokenize", "--tokenizer", folder, lines=[json.dumps(text) for text in TEXTS])
    good = rows == [tokenizer(text)["input_ids"] for text in TEXTS]
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {what}: ids")


def check_adapter(program, what, folder, model, tokenizer, place):
    peft = get_peft_model(model, LoraConfig(r=4, lora_alpha=12, use_rslora=True, init_lora_weights=False,
                                            target_modules=["q_proj", "v_proj", "down_proj"]))
    peft.save_pretrained(place / "adapter")
    want = theirs(peft.eval(), tokenizer)
    check(f"{what}: PEFT's adapter", ours(program, folder, place / "adapter"), want)
    call(program, "merge", folder, place / "merged", "--adapter", place / "adapter")
    merged, _ = opened(place / "merged")
    check(f"{what}: merged, transformers", theirs(merged, tokenizer), want)


def check_family(program, what, keys, place):
    (place / "config.json").write_text(json.dumps({**SIZES, **keys}))
    call(program, "init", place / "config.json", place / "made", "--seed", 5)
    call(program, "export", place / "made", place / "out", "--format", "hf")
    model, tokenizer = opened(place / "out")
    check_ids(program, what, place / "out", tokenizer)
    check(f"{what}: made by finstill", ours(program, place / "made"), theirs(model, tokenizer))

    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(place / "theirs", max_shard_size="40KB")
    tokenizer.save_pretrained(place / "theirs")
    model, tokenizer = opened(place / "theirs")
    check(f"{what}: made by transformers", ours(program, place / "theirs"), theirs(model, tokenizer))
    check_adapter(program, what, place / "theirs", model, tokenizer, place)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--finstill", default="build/finstill")
    parser.add_argument("--gguf", type=pathlib.Path)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for what, keys in FAMILIES.items():
        with tempfile.TemporaryDirectory() as place:
            check_family(arguments.finstill, what, keys, pathlib.Path(place))
    if arguments.gguf:
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place) / "m"
            call(arguments.finstill, "import", arguments.gguf, folder)
            model, tokenizer = opened(folder)
            check_ids(arguments.finstill, arguments.gguf.name, folder, tokenizer)
            check(arguments.gguf.name, ours(arguments.finstill, folder), theirs(model, tokenizer))
    print(f"{failures} failed")
    sys.exit(failures > 0)


main()
