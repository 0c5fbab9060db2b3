#!/usr/bin/env python3
"""Training steps of finstill and of the reference loops, alternately in one job: same rows, batch, dtype and threads.

    bench/training.py --python VENV/bin/python [--finstill build/finstill] [--shared ../shared] [--rounds 2] [--compile]
                      [--steps LoRA distillation]

Cases: full SFT and LoRA of SmolLM2-135M (4 rows of 512 packed tokens of FinQA pages, every token in the loss, float32
masters), full SFT of the same pages as conversations whose answers alone are scored, and a distillation step (135M
teacher, 10-block student, whole vocabulary). The peers are the scripts in SHARED/peers, run by the Python of an
environment that has torch, transformers, trl and peft. Prints one Markdown table; a row's figure is the median of its
rounds.
"""
import json
import pathlib
import statistics
import sys
import tempfile

from peers import PEERS_DTYPE, finstill_result, parse, peer_result, run

ROWS, LENGTH, STEPS = 4, 512, 4
COMMON = ["packing=concatenate", f"max_length={LENGTH}", f"batch_tokens={ROWS * LENGTH}", "shuffle=false",
          f"steps={2 * STEPS + 1}", "learning_rate=1e-4", "schedule=constant"]


def page_text(page):
    return "\n".join(page["pre_text"] + ["\t".join(row) for row in page["table"]] + page["post_text"])


def write_pages(shared, file):
    """The pages that the peers pack, one JSON line each."""
    with open(shared / "data/finqa/train.jsonl") as pages, open(file, "w") as out:
        for _, line in zip(range(60), pages):
            out.write(json.dumps({"text": page_text(json.loads(line))}) + "\n")


def finstill_case(options, folder, settings):
    config = folder / "step.yaml"
    config.write_text("{}\n")
    sets = [word for setting in COMMON + settings for word in ("--set", setting)]
    result = finstill_result(options.finstill, "step", config, "--steps", STEPS, "--dtype", options.dtype, *sets)
    return {"tokens_per_second": result["tokens"] / result["seconds"], "gib": result["memory_peak_bytes"] / 2**30,
            "losses": result["losses"][:3], "first": result["first_step_seconds"]}


def peer_case(options, folder, script, arguments):
    result = peer_result(options.python, options.shared, folder, script, *arguments,
                         all_float32=options.dtype == "float32")
    return {"tokens_per_second": result["tok_s"], "gib": result["peak_rss_gib"], "losses": result.get("losses", [])[:3],
            "first": result.get("first_step_s")}


def write_chats(shared, file):
    """The same pages as conversations: questions and answers in turn, of which the answers are scored."""
    with open(shared / "data/finqa/train.jsonl") as pages, open(file, "w") as out:
        for _, line in zip(range(60), pages):
            text = page_text(json.loads(line))
            half = len(text) // 2
            turns = [{"role": "user", "content": text[:half]}, {"role": "assistant", "content": text[half:]}]
            out.write(json.dumps({"messages": turns}) + "\n")


def cases(options, folder):
    pages = f"data={folder / 'pages.jsonl'}"
    base = f"model={folder / 'base'}"
    full = ["objective=pretrain", base, pages]
    half = ["objective=sft", base, f"data={folder / 'chats.jsonl'}"]
    lora = full + ["lora={rank: 16, alpha: 32}"]
    distill = ["objective={kind: distill, direction: forward, alpha: 1}", f"model={folder / 'student'}",
               f"teacher={folder / 'base'}", pages, "clip=0", "adamw={weight_decay: 0.01}"]  # as bench_kd.py does
    ours = lambda settings: lambda: finstill_case(options, folder, settings)
    peer = lambda script, *arguments: lambda: peer_case(options, folder, script, arguments)
    dtype = PEERS_DTYPE[options.dtype]
    loop = "bf16master" if dtype == "bf16" else dtype
    table = [
        ("full SFT", "finstill", ours(full)),
        ("full SFT", "loop in PyTorch", peer("bench_torch_loop.py", loop, "--steps", STEPS + 1)),
        ("full SFT", "TRL", peer("bench_sft_trl.py", "full", dtype, STEPS + 1)),
        ("full SFT, answers alone in the loss", "finstill", ours(half)),
        ("LoRA", "finstill", ours(lora)),
        ("LoRA", "TRL", peer("bench_sft_trl.py", "lora", dtype, STEPS + 1)),
        ("distillation", "finstill", ours(distill)),
        ("distillation", "TRL's GKD loss", peer("bench_kd.py", dtype, STEPS + 1)),
    ]
    if options.compile:
        table.insert(2, ("full SFT", "the same under torch.compile",
                         peer("bench_torch_loop.py", loop, "--compile", "--steps", "7")))
    return table


def main():
    def add_options(parser):
        parser.add_argument("--compile", action="store_true", help="also the loop under torch.compile (minutes to compile)")
        parser.add_argument("--steps", nargs="*", default=[], help="only these steps of the table: \"full SFT\" LoRA ...")

    options = parse(__doc__, "data/finqa/train.jsonl", add_options)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_pages(options.shared, folder / "pages.jsonl")
        write_chats(options.shared, folder / "chats.jsonl")
        run([options.finstill, "import", options.gguf, folder / "base", "--quiet"])
        run([options.finstill, "prune", folder / "base", folder / "student", "--layers", "10", "--method", "even", "--quiet"])
        table = cases(options, folder)
        known = list(dict.fromkeys(row[0] for row in table))
        for step in options.steps:
            if step not in known:
                sys.exit(f"training.py: no step \"{step}\"; there are: {'; '.join(known)}")
        table = [row for row in table if not options.steps or row[0] in options.steps]
        found = [[] for _ in table]
        for round_ in range(options.rounds):
            for at, (case, who, measure) in enumerate(table):
                found[at].append(measure())
                print(f"round {round_ + 1}: {case}, {who}: {found[at][-1]}", file=sys.stderr, flush=True)
    print(f"{options.dtype}\n\n| step | who | tokens/s | finstill is | peak GiB | first step after s | losses of steps 1-3 |\n|---|---|---|---|---|---|---|")
    ours = {}
    for (case, who, _), results in zip(table, found):
        rate = statistics.median(result["tokens_per_second"] for result in results)
        memory = max(result["gib"] for result in results)
        firsts = [result["first"] for result in results if result["first"]]
        first = f"{statistics.median(firsts):.1f}" if firsts else ""
        ours.setdefault(case, rate)
        losses = " ".join(f"{loss:.4f}" for loss in results[0]["losses"])
        print(f"| {case} | {who} | {rate:.0f} | {'' if who == 'finstill' else f'{ours[case] / rate:.2f} times'} | {memory:.2f} | {first} | {losses} |")


if __name__ == "__main__":
    main()
