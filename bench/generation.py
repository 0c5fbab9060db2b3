#!/usr/bin/env python3
"""Generation of finstill, transformers and llama.cpp, alternately in one job: same model, prompts and threads.

    bench/generation.py --python VENV/bin/python [--llama VENV/bin/python] [--finstill build/finstill]
                        [--shared ../shared] [--rounds 2]

SmolLM2-135M-Instruct, greedy, 128 new tokens for each of 1 or 16 questions about financial news, prompts included in the
time. The peers are the scripts in SHARED/peers. llama.cpp reads its own Q4_1 file, the others the dtype or what is said.
Prints one Markdown table; a row's figure is the median of its rounds.
"""
import json
import pathlib
import statistics
import sys
import tempfile

from peers import PEERS_DTYPE, finstill_result, parse, peer_result, run


def write_prompts(shared, file):
    """What the peers ask."""
    with open(shared / "data/tfns/train.jsonl") as rows, open(file, "w") as out:
        for _, line in zip(range(16), rows):
            out.write(json.dumps({"text": "Explain this financial news: " + json.loads(line)["text"]}) + "\n")


def finstill_case(options, folder, batch, weights):
    result = finstill_result(options.finstill, "decode", folder / "base", "--batch", batch, "--weights", weights,
                             "--dtype", options.dtype, "--prompts", folder / "prompts.jsonl")
    decode = result["seconds"] - result["prompt_seconds"]
    return {"rate": result["new_tokens"] / result["seconds"], "gib": result["memory_peak_bytes"] / 2**30,
            "read": result["steps"] * result["weight_bytes"] / decode / 1e9, "machine": result["read_gb_per_second"]}


def transformers_case(options, folder, batch):
    result = peer_result(options.python, options.shared, folder, "bench_generate.py", PEERS_DTYPE[options.dtype], batch)
    return {"rate": result["new_tok_s"], "gib": result["peak_rss_gib"]}


def llama_case(options, folder):
    result = peer_result(options.llama, options.shared, folder, "bench_llamacpp.py", pathlib.Path(options.gguf).resolve())
    return {"rate": result["new_tok_s"], "gib": result["peak_rss_gib"]}


def cases(options, folder):
    ours = lambda batch, weights: lambda: finstill_case(options, folder, batch, weights)
    table = [("1", "finstill, dense", ours(1, "dense")),
             ("1", "transformers", lambda: transformers_case(options, folder, 1)),
             ("16", "finstill, dense", ours(16, "dense")),
             ("16", "transformers", lambda: transformers_case(options, folder, 16)),
             ("1, small weights", "finstill, int8", ours(1, "int8")),
             ("1, small weights", "finstill, int4", ours(1, "int4"))]
    if options.llama:
        table.append(("1, small weights", "llama.cpp, Q4_1", lambda: llama_case(options, folder)))
    return table


def main():
    options = parse(__doc__, "data/tfns/train.jsonl", lambda parser: parser.add_argument(
        "--llama", help="python of an environment with llama-cpp-python"))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_prompts(options.shared, folder / "prompts.jsonl")
        run([options.finstill, "import", options.gguf, folder / "base", "--quiet"])
        table = cases(options, folder)
        found = [[] for _ in table]
        for round_ in range(options.rounds):
            for at, (batch, who, measure) in enumerate(table):
                found[at].append(measure())
                print(f"round {round_ + 1}: batch {batch}, {who}: {found[at][-1]}", file=sys.stderr, flush=True)
    print(f"{options.dtype}\n\n| batch | who | new tokens/s | finstill is | peak GiB | weights read at |\n|---|---|---|---|---|---|")
    ours = {}
    for (batch, who, _), results in zip(table, found):
        rate = statistics.median(result["rate"] for result in results)
        ours.setdefault(batch, rate)
        beside = "" if who.startswith("finstill") else f"{ours[batch] / rate:.2f} times"
        read = ""
        if "read" in results[0]:
            read = (f"{statistics.median(result['read'] for result in results):.1f} GB/s of "
                    f"{statistics.median(result['machine'] for result in results):.1f}")
        print(f"| {batch} | {who} | {rate:.1f} | {beside} | {max(result['gib'] for result in results):.2f} | {read} |")


if __name__ == "__main__":
    main()
