#!/usr/bin/env python3
"""PyTorch's attention as a peer: bench sweep CONFIG --peer 'python3 kernels/peers/torch_worker.py'

Speaks the worker protocol (harness/src/protocol.h, worker_peer.h) on stdin and stdout: reads Q, K
and V from files, leaves O there for bench to judge, and times the same call. Kernels, each one
backend of scaled_dot_product_attention, or flex_attention with a block mask:

  torch/flash  torch/efficient  torch/cudnn  torch/math  torch/flex

On a CPU there are torch/flash, which is what PyTorch chooses there, torch/math and torch/flex.
PyTorch is the only package needed. What a kernel cannot do is skipped with PyTorch's own reason.
"""
import json
import math
import os
import statistics
import sys
import time
import warnings

try:
    import torch
except ImportError as error:
    sys.exit(f"torch_worker.py: {error}")

FLUSH_CACHES = 2  # last-level caches that emptying one writes
TOO_FEW, TOO_MANY = 5, 10000  # samples


class Device:
    """Where the tensors are, its clock, and its last-level cache."""

    def __init__(self, backend, index, threads):
        self.cuda = backend == "cuda"
        if self.cuda and not torch.cuda.is_available():
            raise RuntimeError("PyTorch finds no CUDA device")
        if self.cuda:
            torch.cuda.set_device(index)
            cache = torch.cuda.get_device_properties(index).L2_cache_size
        else:
            if threads > 0:
                torch.set_num_threads(threads)
            cache = last_level_cache()
        self.name = "cuda" if self.cuda else "cpu"
        self.junk = torch.empty(FLUSH_CACHES * cache, dtype=torch.uint8, device=self.name)

    def flush(self):
        self.junk.add_(1)
        if self.cuda:
            torch.cuda.synchronize()

    def time_ns(self, run):
        if not self.cuda:
            begin = time.perf_counter_ns()
            run()
            return float(time.perf_counter_ns() - begin)
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e6


def last_level_cache():
    """Bytes, as the kernel tells them; 32 MiB where it does not."""
    folder = "/sys/devices/system/cpu/cpu0/cache"
    sizes = [0]
    for index in os.listdir(folder) if os.path.isdir(folder) else []:
        try:
            with open(f"{folder}/{index}/size") as file:
                text = file.read().strip()
        except OSError:
            continue
        sizes.append(int(text[:-1]) * {"K": 1 << 10, "M": 1 << 20}[text[-1]])
    return max(sizes) or 32 << 20


class Skip(Exception):
    """What a kernel cannot do."""


class Problem:
    """The tensors of a case's distinct layers, and its mask."""

    def __init__(self, device, request):
        self.device = device
        self.attn = attn = request["attn"]
        self.folder = request["folder"]
        self.dtype = {"fp32": torch.float32, "fp16": torch.float16,
                      "bf16": torch.bfloat16}[attn["dtype"]]
        q = (attn["batch"], attn["heads_q"], attn["seq_q"], attn["head_dim"])
        kv = (attn["batch"], attn["heads_kv"], attn["seq_kv"], attn["head_dim"])
        self.layers = [[self.read(name, layer, shape) for name, shape in
                        (("q", q), ("k", kv), ("v", kv))]
                       for layer in range(request["layers_distinct"])]
        self.turns = [self.layers[i % len(self.layers)] for i in range(attn["layers"])]
        self.grouped = attn["heads_q"] != attn["heads_kv"]

    def read(self, name, layer, shape, dtype=None):
        dtype = dtype or self.dtype
        path = f"{self.folder}/{name}{layer}.bin"
        flat = torch.from_file(path, size=math.prod(shape), dtype=dtype)
        return flat.clone().reshape(shape).to(self.device.name)

    def write(self, layer, out):
        torch.from_file(f"{self.folder}/o{layer}.bin", shared=True, size=out.numel(),
                             dtype=self.dtype).copy_(out.flatten())

    def visible(self, layer):
        """What keeps key k of row q (positions) visible, for flex_attention."""
        mask, offset = self.attn["mask"], self.attn["seq_kv"] - self.attn["seq_q"]
        kind, _, rest = mask.partition(":")
        if mask == "full":
            return None
        if mask == "causal":
            return lambda b, h, q, k: k <= q + offset
        if kind == "window":
            width, _, both = rest.partition(":")
            width = int(width)
            if both:
                return lambda b, h, q, k: (q + offset - k).abs() < width
            return lambda b, h, q, k: (k <= q + offset) & (q + offset - k < width)
        if kind in ("block", "bigbird", "topk"):
            return self.blocks(layer, offset)
        raise Skip(f"mask {mask} is not written for flex_attention")

    def blocks(self, layer, offset):
        attn = self.attn
        size = int(dict(part.split("=") for part in attn["mask"].split(":")[1:]
                        if "=" in part).get("size", 64))
        rows = -(-attn["seq_q"] // size)
        columns = -(-attn["seq_kv"] // size)
        begin = self.flat("row_begin", layer, torch.int64)
        column = self.flat("column", layer, torch.int32).long()
        patterns = (len(begin) - 1) // rows
        kept = torch.zeros(patterns * rows, columns, dtype=torch.bool)
        kept[torch.repeat_interleave(torch.arange(patterns * rows), begin.diff()), column] = True
        kept = kept.reshape(patterns, rows, columns).to(self.device.name)
        pattern = torch.zeros(attn["batch"] * attn["heads_q"], dtype=torch.int64)
        if os.path.exists(f"{self.folder}/pattern{layer}.bin"):
            pattern = self.flat("pattern", layer, torch.int32).long()
        pattern, heads = pattern.to(self.device.name), attn["heads_q"]
        return lambda b, h, q, k: kept[pattern[b * heads + h], q // size, k // size] & (
            k <= q + offset)

    def flat(self, name, layer, dtype):
        path = f"{self.folder}/{name}{layer}.bin"
        return torch.from_file(path, size=os.path.getsize(path) // dtype.itemsize,
                                    dtype=dtype).clone()


def sdpa(name):
    """A function that makes the launch of one layer by one backend of PyTorch's SDPA."""

    def prepare(problem):
        attn = problem.attn
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.nn.functional import scaled_dot_product_attention
        backend = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION,
                   "efficient": SDPBackend.EFFICIENT_ATTENTION, "math": SDPBackend.MATH}[name]
        options = {"enable_gqa": problem.grouped}
        if attn["mask"] == "causal" and attn["seq_q"] == attn["seq_kv"]:
            options["is_causal"] = True
        elif attn["mask"] == "causal" and attn["seq_q"] == 1:
            pass  # the one row sees all keys
        elif attn["mask"] != "full":
            raise Skip(f"scaled_dot_product_attention has no mask {attn['mask']} of its own"
                       if attn["mask"] != "causal" else
                       "its causal mask is aligned with the first row, not with the last")

        def launch(q, k, v):
            with sdpa_kernel(backend):
                return scaled_dot_product_attention(q, k, v, **options)

        return [launch] * len(problem.layers)

    return prepare


def flex(problem):
    attn = problem.attn
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    compiled = torch.compile(flex_attention, dynamic=False)

    def launch_of(layer):
        visible = problem.visible(layer)
        block_mask = visible and create_block_mask(
            visible, attn["batch"], attn["heads_q"], attn["seq_q"], attn["seq_kv"],
            device=problem.device.name)
        return lambda q, k, v: compiled(q, k, v, block_mask=block_mask, enable_gqa=problem.grouped)

    return [launch_of(layer) for layer in range(len(problem.layers))]


KERNELS = {"torch/flash": sdpa("flash"), "torch/efficient": sdpa("efficient"),
           "torch/cudnn": sdpa("cudnn"), "torch/math": sdpa("math"), "torch/flex": flex}
CPU_KERNELS = ("torch/flash", "torch/math", "torch/flex")


def interval_is_narrow(samples):
    """95 % interval of the median within 0.5 % on either side, by order statistics."""
    n = len(samples)
    reach = 0.98 * math.sqrt(n)
    low, high = int(n / 2 - reach), math.ceil(n / 2 + reach)
    if low < 0 or high >= n:
        return False
    ordered = sorted(samples)
    return ordered[high] - ordered[low] <= 0.01 * statistics.median(ordered)


def measure(device, run, mode, budget_s):
    samples, reason, look = [], "budget", TOO_FEW
    end = time.monotonic() + budget_s
    run()
    while len(samples) < TOO_FEW or time.monotonic() < end:
        if mode == "cold":
            device.flush()
        samples.append(device.time_ns(run))
        if len(samples) == look:  # at few, ever farther counts: each look is a chance to err
            if interval_is_narrow(samples):
                reason = "ci"
                break
            look = math.ceil(look * 1.5)
        if len(samples) == TOO_MANY:
            reason = "max_samples"
            break
    return samples, reason


def answer(device, request):
    if request["mode"] not in ("cold", "warm"):
        raise Skip(f"the peer does not time mode {request['mode']}")
    name = request["kernel"]
    say({"ev": "phase", "name": "prepare"})
    problem = Problem(device, request)
    with torch.inference_mode():
        launches = KERNELS[name](problem)
        turns = [(launches[i % len(launches)], tensors) for i, tensors in enumerate(problem.turns)]

        def run():
            for launch, tensors in turns:
                launch(*tensors)

        say({"ev": "phase", "name": "verify"})
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                for layer, tensors in enumerate(problem.layers):
                    problem.write(layer, launches[layer](*tensors))
        except RuntimeError as error:
            if "out of memory" in str(error):
                raise
            told = "; ".join(dict.fromkeys(str(warning.message).split("(Triggered")[0].strip()
                                           for warning in told))
            raise Skip(f"{str(error).splitlines()[0]} {told}"[:400]) from error
        say({"ev": "phase", "name": "measure"})
        samples, reason = measure(device, run, request["mode"], request["case_s"])
    return {"ev": "result", "status": "ok", "reason": "", "samples": samples,
            "columns": {"variant": name.split("/")[1], "stop_reason": reason}}


def say(event):
    OUT.write(json.dumps(event) + "\n")
    OUT.flush()


def main():
    device = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["op"] == "quit":
                break
            if request["op"] == "hello":
                device = Device(request["backend"], request["device"], request["threads"])
                kernels = list(KERNELS) if device.cuda else list(CPU_KERNELS)
                say({"ev": "hello", "protocol": 1, "kernels": kernels})
            else:
                say(answer(device, request))
        except Skip as skip:
            say({"ev": "result", "status": "skipped", "reason": str(skip)})
        except (RuntimeError, ImportError, OSError) as error:
            reason = str(error).splitlines()[0][:400]
            if request["op"] == "hello":
                say({"ev": "error", "reason": reason})
            else:
                status = "oom" if "out of memory" in str(error) else "failed"
                say({"ev": "result", "status": status, "reason": reason})


# Libraries print where they like; the protocol has stdout for itself.
OUT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
if __name__ == "__main__":
    with OUT:
        main()
