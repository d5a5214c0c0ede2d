#!/usr/bin/env python3
"""JAX's attention as a peer: bench sweep CONFIG --peer 'python3 kernels/peers/jax_worker.py'

  jax/xla     dot_product_attention as XLA compiles it
  jax/cudnn   the same by cuDNN (GPU)
  jax/mosaic  the Pallas kernel for Hopper of jax.experimental, where this JAX has it (GPU)

JAX is the only package needed. It gives no clock of the device: a time is from the call to the end
of the work on the host's clock, dispatch included, so short kernels look slower than they are.
"""
import math
import os
import sys

# Other workers need the device's memory too.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

from peer_protocol import (FLUSH_CACHES, Attention, Skip, WallClock, first_line,
                           last_level_cache, out_of_memory, serve)

try:
    import jax
    import jax.numpy as jnp
    import numpy
except ImportError as error:
    sys.exit(f"jax_worker.py: {error}")

GPU_CACHE = 64 << 20  # JAX does not tell it; no GPU of today that it knows has more


class Device(WallClock):
    """Where the arrays are, and a buffer that fills its last-level cache."""

    def __init__(self, backend, index, threads):
        del threads  # XLA's CPU client has its own, fixed before it starts
        cuda = backend == "cuda"
        self.where = jax.devices("cuda" if cuda else "cpu")[index]
        self.kernels = KERNELS if cuda else CPU_KERNELS
        cache = GPU_CACHE if cuda else last_level_cache()
        self.junk = jax.device_put(jnp.zeros(FLUSH_CACHES * cache, jnp.uint8), self.where)
        self.add = jax.jit(lambda junk: junk + 1, donate_argnums=0)

    def flush(self):
        self.junk = self.add(self.junk)
        self.junk.block_until_ready()


class Case:
    """The arrays of a problem's distinct layers, [batch, seq, heads, head_dim] as JAX has them."""

    def __init__(self, device, request):
        self.attn = attn = Attention(request)
        self.device = device
        self.dtype = {"fp32": jnp.float32, "fp16": jnp.float16, "bf16": jnp.bfloat16}[attn.dtype]
        shapes = (("q", attn.q_shape), ("k", attn.kv_shape), ("v", attn.kv_shape))
        self.layers = [[self.read(name, layer, shape) for name, shape in shapes]
                       for layer in range(attn.layers_distinct)]
        self.launch = jax.jit(KERNELS[request["kernel"]](attn))
        self.turns = [self.layers[i % len(self.layers)] for i in range(attn.layers)]

    def read(self, name, layer, shape):
        flat = numpy.fromfile(self.attn.path(name, layer), dtype=self.dtype)
        return jax.device_put(jnp.asarray(flat.reshape(shape).transpose(0, 2, 1, 3)),
                              self.device.where)

    def run(self):
        outs = [self.launch(*tensors) for tensors in self.turns]
        jax.block_until_ready(outs)

    def verify(self):
        for layer, tensors in enumerate(self.layers):
            try:
                out = numpy.asarray(self.launch(*tensors))
            except (RuntimeError, ValueError, NotImplementedError) as error:
                if out_of_memory(error):
                    raise
                raise Skip(first_line(error)) from error
            out.transpose(0, 2, 1, 3).tofile(self.attn.path("o", layer))


def dot_product(implementation):
    def prepare(attn):
        causal = attn.is_causal()
        return lambda q, k, v: jax.nn.dot_product_attention(
            q, k, v, is_causal=causal, implementation=implementation)

    return prepare


def mosaic(attn):
    try:
        from jax.experimental.pallas.ops.gpu.attention_mgpu import TuningConfig, attention
    except ImportError as error:
        raise Skip(f"this JAX has no such kernel: {error}") from error
    config = TuningConfig(block_q=64, block_kv=128 if attn.head_dim <= 128 else 64,
                          max_concurrent_steps=2, causal=attn.is_causal())
    scale = 1 / math.sqrt(attn.head_dim)  # the kernel has none of its own
    return lambda q, k, v: attention(q * jnp.asarray(scale, q.dtype), k, v, config)


KERNELS = {"jax/xla": dot_product("xla"), "jax/cudnn": dot_product("cudnn"), "jax/mosaic": mosaic}
CPU_KERNELS = ("jax/xla",)


if __name__ == "__main__":
    serve(Device, Case)
