#!/usr/bin/env python3
"""PyTorch's attention as a peer: bench sweep CONFIG --peer 'python3 kernels/peers/torch_worker.py'

Kernels, each one backend of scaled_dot_product_attention, or flex_attention with a block mask:

  torch/flash  torch/efficient  torch/cudnn  torch/math  torch/flex

On a CPU there are torch/flash, which is what PyTorch chooses there, torch/math and torch/flex.
PyTorch is the only package needed. What a kernel cannot do is skipped with PyTorch's own reason.
"""
import os
import sys
import warnings

from peer_protocol import (FLUSH_CACHES, Attention, Skip, WallClock, first_line,
                           last_level_cache, out_of_memory, serve)

try:
    import torch
except ImportError as error:
    sys.exit(f"torch_worker.py: {error}")

HOLD_CYCLES = 1000000  # of the GPU's clock: longer than Python takes to queue a launch


class Device(WallClock):
    """Where the tensors are, its clock, and its last-level cache."""

    def __init__(self, backend, index, threads):
        torch.set_grad_enabled(False)
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
        self.kernels = KERNELS if self.cuda else CPU_KERNELS
        self.name = "cuda" if self.cuda else "cpu"
        self.junk = torch.empty(FLUSH_CACHES * cache, dtype=torch.uint8, device=self.name)

    def flush(self):
        self.junk.add_(1)
        if self.cuda:
            torch.cuda.synchronize()

    def time_ns(self, run):
        if not self.cuda:
            return super().time_ns(run)
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(HOLD_CYCLES)  # so that the GPU waits for nothing that Python does
        begin.record()
        run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e6


class Case:
    """The tensors of a problem's distinct layers, and what launches each."""

    def __init__(self, device, request):
        self.device = device
        self.attn = attn = Attention(request)
        self.dtype = {"fp32": torch.float32, "fp16": torch.float16,
                      "bf16": torch.bfloat16}[attn.dtype]
        shapes = (("q", attn.q_shape), ("k", attn.kv_shape), ("v", attn.kv_shape))
        self.layers = [[self.flat(name, layer, self.dtype).reshape(shape).to(device.name)
                        for name, shape in shapes] for layer in range(attn.layers_distinct)]
        self.grouped = attn.heads_q != attn.heads_kv
        self.launches = KERNELS[request["kernel"]](self)
        self.turns = [(self.launches[i % len(self.layers)], self.layers[i % len(self.layers)])
                      for i in range(attn.layers)]

    def run(self):
        for launch, tensors in self.turns:
            launch(*tensors)

    def verify(self):
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                for layer, tensors in enumerate(self.layers):
                    out = self.launches[layer](*tensors)
                    torch.from_file(self.attn.path("o", layer), shared=True, size=out.numel(),
                                    dtype=self.dtype).copy_(out.flatten())
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            told = "; ".join(dict.fromkeys(str(warning.message).split("(Triggered")[0].strip()
                                           for warning in told))
            raise Skip(f"{first_line(error)} {told}"[:400]) from error

    def flat(self, name, layer, dtype):
        path = self.attn.path(name, layer)
        return torch.from_file(path, size=os.path.getsize(path) // dtype.itemsize,
                               dtype=dtype).clone()

    def visible(self, layer):
        """What keeps key k of row q (positions) visible, for flex_attention."""
        mask, offset = self.attn.mask, self.attn.seq_kv - self.attn.seq_q
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
        size = int(dict(part.split("=") for part in attn.mask.split(":")[1:]
                        if "=" in part).get("size", 64))
        rows = -(-attn.seq_q // size)
        columns = -(-attn.seq_kv // size)
        begin = self.flat("row_begin", layer, torch.int64)
        column = self.flat("column", layer, torch.int32).long()
        patterns = (len(begin) - 1) // rows
        kept = torch.zeros(patterns * rows, columns, dtype=torch.bool)
        kept[torch.repeat_interleave(torch.arange(patterns * rows), begin.diff()), column] = True
        kept = kept.reshape(patterns, rows, columns).to(self.device.name)
        pattern = torch.zeros(attn.batch * attn.heads_q, dtype=torch.int64)
        if os.path.exists(attn.path("pattern", layer)):
            pattern = self.flat("pattern", layer, torch.int32).long()
        pattern, heads = pattern.to(self.device.name), attn.heads_q
        return lambda b, h, q, k: kept[pattern[b * heads + h], q // size, k // size] & (
            k <= q + offset)


def sdpa(name):
    """A function that makes the launch of one layer by one backend of PyTorch's SDPA."""

    def prepare(case):
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.nn.functional import scaled_dot_product_attention
        backend = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION,
                   "efficient": SDPBackend.EFFICIENT_ATTENTION, "math": SDPBackend.MATH}[name]
        options = {"enable_gqa": case.grouped, "is_causal": case.attn.is_causal()}

        def launch(q, k, v):
            with sdpa_kernel(backend):
                return scaled_dot_product_attention(q, k, v, **options)

        return [launch] * len(case.layers)

    return prepare


def flex(case):
    attn = case.attn
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    # After a number of shapes and masks the compiler would give up and run the plain, unfused code
    # in silence. So each case starts anew, and a whole graph or none is compiled.
    torch.compiler.reset()
    compiled = torch.compile(flex_attention, dynamic=False, fullgraph=True)

    def launch_of(layer):
        visible = case.visible(layer)
        block_mask = visible and create_block_mask(
            visible, attn.batch, attn.heads_q, attn.seq_q, attn.seq_kv,
            device=case.device.name)
        return lambda q, k, v: compiled(q, k, v, block_mask=block_mask, enable_gqa=case.grouped)

    return [launch_of(layer) for layer in range(len(case.layers))]


KERNELS = {"torch/flash": sdpa("flash"), "torch/efficient": sdpa("efficient"),
           "torch/cudnn": sdpa("cudnn"), "torch/math": sdpa("math"), "torch/flex": flex}
CPU_KERNELS = ("torch/flash", "torch/math", "torch/flex")


if __name__ == "__main__":
    serve(Device, Case)
