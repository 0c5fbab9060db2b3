"""What training.py and generation.py share: starting finstill and the reference libraries, and reading what they say."""
import json
import os
import subprocess
import sys

THREADS = 2


def run(command, environment=None):
    """What the command prints."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": str(THREADS), **(environment or {})})
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def finstill_result(binary, *arguments):
    """The JSON object of a bench verb."""
    return json.loads(run([binary, "bench", *arguments, "--threads", THREADS, "--json"]))


def peer_result(python, shared, folder, script, *arguments):
    """The result line of a script in SHARED/peers, run on the model in `folder`/base."""
    out = run([python, shared / "peers" / script, *arguments],
              {"SMOLLM2_HF": str(folder / "base"), "FIN_DATA": str(shared / "data"), "BENCH_OUT": str(folder / "peers.jsonl")})
    line = [line for line in out.splitlines() if line.startswith("RESULT ")][-1]
    return json.loads(line[len("RESULT "):])
