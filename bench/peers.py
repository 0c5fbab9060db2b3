"""What training.py and generation.py share: starting finstill and the reference libraries, and reading what they say."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

THREADS = 2
PEERS_DTYPE = {"bfloat16": "bf16", "float32": "fp32"}  # as the peers' scripts call them

# bench_kd.py loads its teacher in bfloat16 whatever it is told; this runs it with all models in float32
IN_FLOAT32 = """
import runpy, sys, torch, transformers
load = transformers.AutoModelForCausalLM.from_pretrained
transformers.AutoModelForCausalLM.from_pretrained = lambda name, **options: load(name, **{**options, "dtype": torch.float32})
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def fast_dtype():
    """bfloat16 where the processor multiplies it in hardware; elsewhere torch takes minutes for a step of it."""
    return "bfloat16" if "avx512_bf16" in pathlib.Path("/proc/cpuinfo").read_text().split() else "float32"


def parse(description, data, add_options):
    """The options of a script; `data`: what it reads of SHARED. A path that is missing ends it with one line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="python of the environment with the peers")
    parser.add_argument("--finstill", default="build/finstill")
    parser.add_argument("--shared", type=pathlib.Path, default=pathlib.Path(os.environ.get("FINSTILL_SHARED", "../shared")))
    parser.add_argument("--gguf", default=".deps/models/smollm2-135m-instruct.gguf")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--dtype", choices=list(PEERS_DTYPE), default=fast_dtype(),
                        help="of everybody's matrix products; without it what this processor is fast with")
    add_options(parser)
    options = parser.parse_args()
    options.shared = options.shared.resolve()
    for needed in (options.finstill, options.python, options.gguf, options.shared / "peers", options.shared / data):
        if not pathlib.Path(needed).exists():
            parser.error(f"{needed} is not there")
    return options


def run(command, environment=None, folder=None):
    """What the command prints. `folder`: where it runs, for those that leave files where they stand."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=folder,
                          env={**os.environ, "OMP_NUM_THREADS": str(THREADS), **(environment or {})})
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def finstill_result(binary, *arguments):
    """The JSON object of a bench verb."""
    return json.loads(run([binary, "bench", *arguments, "--threads", THREADS, "--json"]))


def peer_result(python, shared, folder, script, *arguments, all_float32=False):
    """The result line of a script in SHARED/peers, run on the model in `folder`/base."""
    out = run([os.path.abspath(python), *(["-c", IN_FLOAT32] if all_float32 else []), shared / "peers" / script, *arguments],
              {"SMOLLM2_HF": str(folder / "base"), "FIN_DATA": str(shared / "data"), "BENCH_OUT": str(folder / "peers.jsonl")}, folder)
    line = [line for line in out.splitlines() if line.startswith("RESULT ")][-1]
    return json.loads(line[len("RESULT "):])
