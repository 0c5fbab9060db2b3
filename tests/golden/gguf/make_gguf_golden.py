#!/usr/bin/env python3
"""Writes 64 blocks of random bytes for each GGUF type that finstill reads, and what gguf.quants.dequantize makes of them.

    python make_gguf_golden.py [--seed N] [--out FOLDER]        (needs PyPI gguf and numpy)

<TYPE>.bytes.bin holds the blocks as they lie in a GGUF file, <TYPE>.float32.bin the values, little-endian float32.
Random float16 scales include infinities and NaNs: they are part of the test. types.json lists versions and sizes.
"""
import argparse
import importlib.metadata
import json
import pathlib

import gguf
import numpy as np

TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q6_K",
         "Q2_K", "Q3_K", "Q5_K"]
BLOCKS = 64


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(arguments.seed)
    listing = {"seed": arguments.seed, "blocks": BLOCKS, "gguf": importlib.metadata.version("gguf"),
               "numpy": np.__version__, "types": {}}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        values, size = gguf.GGML_QUANT_SIZES[kind]
        raw = generator.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
        with np.errstate(all="ignore"):
            result = np.ascontiguousarray(gguf.quants.dequantize(raw, kind)).astype("<f4", copy=False)
        assert result.size == BLOCKS * values
        (arguments.out / f"{name}.bytes.bin").write_bytes(raw.tobytes())
        (arguments.out / f"{name}.float32.bin").write_bytes(result.tobytes())
        listing["types"][name] = {"number": int(kind), "values": values, "bytes": size}
    (arguments.out / "types.json").write_text(json.dumps(listing, indent=1) + "\n")


main()
