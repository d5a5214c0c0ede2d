#!/usr/bin/env python3
"""ONNX Runtime's attention on CPUs: bench sweep CONFIG --peer 'python3 kernels/peers/onnx_worker.py'

  onnx/mha   com.microsoft.MultiHeadAttention, fused by the runtime where it has a kernel
  onnx/gqa   com.microsoft.GroupQueryAttention: causal, and keys and values shared by heads

Needs the packages onnxruntime and onnx. fp32 alone; Q, K and V are [batch, seq, heads * head_dim]
there, and are brought into that order before the clock starts.
"""
import sys

from peer_protocol import (FLUSH_CACHES, Attention, Skip, WallClock, first_line,
                           last_level_cache, out_of_memory, serve)

try:
    import numpy
    import onnxruntime
    from onnx import TensorProto, helper
except ImportError as error:
    sys.exit(f"onnx_worker.py: {error}")


class Device(WallClock):
    """The CPU, and a buffer that fills its last-level cache."""

    def __init__(self, backend, index, threads):
        del index
        if backend == "cuda":
            raise RuntimeError("this worker runs ONNX Runtime on CPUs")
        self.threads = threads
        self.kernels = KERNELS
        self.junk = numpy.zeros(FLUSH_CACHES * last_level_cache(), numpy.uint8)

    def flush(self):
        self.junk += 1


class Case:
    """A session for the problem's shape, and the arrays of its distinct layers, bound to it."""

    def __init__(self, device, request):
        self.attn = attn = Attention(request)
        if attn.dtype != "fp32":
            raise Skip(f"written for fp32, not for {attn.dtype}")
        node, extra = KERNELS[request["kernel"]](attn)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = device.threads
        self.session = onnxruntime.InferenceSession(
            model_of(attn, node, extra), options, providers=["CPUExecutionProvider"])
        self.outs, self.bindings = [], []
        for layer in range(attn.layers_distinct):
            self.bind(layer, extra)

    def bind(self, layer, extra):
        attn, binding = self.attn, self.session.io_binding()
        for name, shape in (("q", attn.q_shape), ("k", attn.kv_shape), ("v", attn.kv_shape)):
            array = numpy.fromfile(attn.path(name, layer), numpy.float32).reshape(shape)
            flat = array.transpose(0, 2, 1, 3).reshape(shape[0], shape[2], -1)
            binding.bind_ortvalue_input(name, value_of(flat))
        for name, array in extra.items():
            binding.bind_ortvalue_input(name, value_of(array))
        self.outs.append(value_of(numpy.empty(
            (attn.batch, attn.seq_q, attn.heads_q * attn.head_dim), numpy.float32)))
        binding.bind_ortvalue_output("o", self.outs[-1])
        self.bindings.append(binding)

    def run(self):
        for turn in range(self.attn.layers):
            self.session.run_with_iobinding(self.bindings[turn % len(self.bindings)])

    def verify(self):
        attn = self.attn
        for layer, (binding, out) in enumerate(zip(self.bindings, self.outs)):
            try:
                self.session.run_with_iobinding(binding)
            except Exception as error:  # the runtime's exceptions have no common class
                if out_of_memory(error):
                    raise
                raise Skip(first_line(error)) from error
            rows = out.numpy().reshape(attn.batch, attn.seq_q, attn.heads_q, attn.head_dim)
            rows.transpose(0, 2, 1, 3).tofile(attn.path("o", layer))


def value_of(array):
    return onnxruntime.OrtValue.ortvalue_from_numpy(numpy.ascontiguousarray(array))


def model_of(attn, node, extra):
    """The model of one node, as bytes."""

    def tensor(name, heads, length):
        return helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [attn.batch, length, heads * attn.head_dim])

    inputs = [tensor("q", attn.heads_q, attn.seq_q), tensor("k", attn.heads_kv, attn.seq_kv),
              tensor("v", attn.heads_kv, attn.seq_kv)]
    inputs += [helper.make_tensor_value_info(name, TensorProto.INT32, list(array.shape))
               for name, array in extra.items()]
    graph = helper.make_graph([node], "attention", inputs,
                              [tensor("o", attn.heads_q, attn.seq_q)])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def multi_head(attn):
    """The node, and its inputs besides Q, K and V."""
    if attn.heads_q != attn.heads_kv:
        raise Skip("MultiHeadAttention shares no keys between heads")
    return helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["o"], domain="com.microsoft",
                            num_heads=attn.heads_q, unidirectional=int(attn.is_causal())), {}


def grouped_query(attn):
    if attn.seq_q != attn.seq_kv:
        raise Skip("GroupQueryAttention takes earlier keys from a cache of its own")
    window = -1
    if attn.mask.startswith("window:") and not attn.mask.endswith(":both"):
        window = int(attn.mask.split(":")[1])
    elif not attn.is_causal():
        raise Skip("GroupQueryAttention is causal")
    extra = {"last": numpy.full((attn.batch,), attn.seq_kv - 1, numpy.int32),
             "total": numpy.array([attn.seq_kv], numpy.int32)}
    return helper.make_node("GroupQueryAttention", ["q", "k", "v", "", "", *extra], ["o"],
                            domain="com.microsoft", num_heads=attn.heads_q,
                            kv_num_heads=attn.heads_kv, local_window_size=window), extra


KERNELS = {"onnx/mha": multi_head, "onnx/gqa": grouped_query}


if __name__ == "__main__":
    serve(Device, Case)
