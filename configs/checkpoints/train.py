#!/usr/bin/env python3
"""Trains a small byte-level language model of the Llama architecture on the CPU.

What: writes a checkpoint in the Hugging Face layout (config.json, model.safetensors) that
transformers' LlamaForCausalLM can load, next to the held-out text and reference.json, which
holds the measured losses and numbers to check another implementation against.

Why: attention measurements need real Q, K and V, so the suite carries one trained model that is
small enough to live in the repository and to be evaluated on any machine in seconds.

How to run (Debian 12; a step takes about 0.35 s on two idle cores):

    apt-get install python3-torch libopenblas0-openmp bible-kjv bible-kjv-text
    bible -l 79 gen1:1-rev22:21 > kjv.txt
    OMP_NUM_THREADS=2 /usr/bin/python3 train.py --text kjv.txt --out kjv-1m \\
        --heldout kjv-1m/heldout.txt

The held-out excerpt is the contiguous HELDOUT_BYTES of the text that start at the heading
--heldout-from. It is cut and written when the --heldout file does not exist; when it exists, it
must occur in the text exactly once. No training window overlaps it or spans the cut.

Ctrl-C (or SIGTERM) ends training early; what was reached is then written and measured.
With --measure nothing is trained: an existing checkpoint is loaded and measured again.

The first run of a schedule can be cut with --stop-at, and --init starts from the weights of
another checkpoint (with a fresh optimizer, schedule and --seed) in place of random ones. The
README.md of a checkpoint gives the exact commands that made it.

Only PyTorch (1.13 or later) is needed. The OpenMP build of OpenBLAS matters only for speed; where
several BLAS are installed, `update-alternatives --config libblas.so.3-x86_64-linux-gnu` picks one.
The stream is raw bytes, with no BOS token.
"""

import argparse
import ctypes
import json
import math
import os
import signal
import struct
import time

import torch
import torch.nn.functional as F

HELDOUT_BYTES = 65536
QUERY_BLOCK = 128   # attention works on blocks of query rows and skips the keys after the block

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 256,
    "max_position_embeddings": 1024,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "attention_dropout": 0.0,
    "tie_word_embeddings": True,
    "bos_token_id": None,
    "eos_token_id": None,
    "use_cache": True,
    "torch_dtype": "float16",
}

LOSS_RULE = (
    "heldout.txt is cut into consecutive non-overlapping windows of W bytes; each window is run "
    "on its own from position 0; the loss is the mean of -ln p(byte t+1 | bytes 0..t of the "
    "window) over the W-1 predictions of all windows, in nats per predicted byte. Weights are "
    "the stored F16 values upcast to float32; the computation is float32; the loss is summed in "
    "float64.")

FACTS_RULE = (
    "For the first N bytes of heldout.txt run from position 0: argmax of the 256 logits at each "
    "position; mean and population standard deviation over all N*256 logits; the logits at the "
    "last position; the mean loss of the N-1 predictions; and for every layer and head the "
    "entropy in nats of each causal attention row (row i: softmax over keys 0..i), averaged over "
    "rows 1..N-1, as attention_entropy[layer][head], with the mean over heads as "
    "attention_entropy_layer_mean[layer].")


# ------------------------------------------------------------------------------------- model

def tensor_shapes(cfg):
    """Names and shapes of all tensors, in file order."""
    hidden, inter, dim = cfg["hidden_size"], cfg["intermediate_size"], cfg["head_dim"]
    q_rows, kv_rows = cfg["num_attention_heads"] * dim, cfg["num_key_value_heads"] * dim
    shapes = {"model.embed_tokens.weight": (cfg["vocab_size"], hidden)}
    for i in range(cfg["num_hidden_layers"]):
        p = f"model.layers.{i}."
        shapes[p + "input_layernorm.weight"] = (hidden,)
        shapes[p + "self_attn.q_proj.weight"] = (q_rows, hidden)
        shapes[p + "self_attn.k_proj.weight"] = (kv_rows, hidden)
        shapes[p + "self_attn.v_proj.weight"] = (kv_rows, hidden)
        shapes[p + "self_attn.o_proj.weight"] = (hidden, q_rows)
        shapes[p + "post_attention_layernorm.weight"] = (hidden,)
        shapes[p + "mlp.gate_proj.weight"] = (inter, hidden)
        shapes[p + "mlp.up_proj.weight"] = (inter, hidden)
        shapes[p + "mlp.down_proj.weight"] = (hidden, inter)
    shapes["model.norm.weight"] = (hidden,)
    return shapes


def init_weights(cfg, generator):
    """Norms are 1; matrices are normal with std 1/sqrt(fan-in), less on the residual writers."""
    weights = {}
    residual_scale = 1.0 / math.sqrt(2 * cfg["num_hidden_layers"])
    for name, shape in tensor_shapes(cfg).items():
        if len(shape) == 1:
            weights[name] = torch.ones(shape)
            continue
        std = 0.05 if "embed" in name else 1.0 / math.sqrt(shape[1])
        if "o_proj" in name or "down_proj" in name:
            std *= residual_scale
        weights[name] = torch.randn(shape, generator=generator) * std
    return weights


def rope_tables(cfg, length):
    """cos and sin of shape (length, head_dim), both halves equal (the half-split layout)."""
    dim = cfg["head_dim"]
    inv_freq = 1.0 / (cfg["rope_theta"] ** (torch.arange(0, dim, 2).float() / dim))
    angles = torch.outer(torch.arange(length).float(), inv_freq)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def apply_rope(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def attention(q, k, v, entropies):
    """Causal attention over (batch, heads, length, dim), one block of query rows at a time.

    When entropies is a list, the entropy of every row is appended as (batch, heads, length).
    """
    length, scale = q.shape[2], 1.0 / math.sqrt(q.shape[3])
    outputs, rows = [], []
    for start in range(0, length, QUERY_BLOCK):
        end = min(start + QUERY_BLOCK, length)
        mask = torch.full((end - start, end), float("-inf")).triu(start + 1)
        scores = (q[:, :, start:end] * scale) @ k[:, :, :end].transpose(2, 3)
        p = torch.softmax(scores + mask, dim=-1)
        outputs.append(p @ v[:, :, :end])
        if entropies is not None:
            p = p.double()
            rows.append(-torch.xlogy(p, p).sum(-1))
    if entropies is not None:
        entropies.append(torch.cat(rows, dim=2))
    return torch.cat(outputs, dim=2)


def forward(weights, cfg, tokens, entropies=None):
    """Logits (batch, length, vocab) for tokens (batch, length), from position 0."""
    batch, length = tokens.shape
    heads, kv_heads = cfg["num_attention_heads"], cfg["num_key_value_heads"]
    dim, eps = cfg["head_dim"], cfg["rms_norm_eps"]
    cos, sin = rope_tables(cfg, length)
    embedding = weights["model.embed_tokens.weight"]

    def split(x, count):
        return x.view(batch, length, count, dim).transpose(1, 2)

    x = F.embedding(tokens, embedding)
    for i in range(cfg["num_hidden_layers"]):
        def w(name):
            return weights[f"model.layers.{i}.{name}.weight"]
        h = rms_norm(x, w("input_layernorm"), eps)
        q = apply_rope(split(F.linear(h, w("self_attn.q_proj")), heads), cos, sin)
        k = apply_rope(split(F.linear(h, w("self_attn.k_proj")), kv_heads), cos, sin)
        v = split(F.linear(h, w("self_attn.v_proj")), kv_heads)
        k = k.repeat_interleave(heads // kv_heads, dim=1)
        v = v.repeat_interleave(heads // kv_heads, dim=1)
        a = attention(q, k, v, entropies).transpose(1, 2).reshape(batch, length, heads * dim)
        x = x + F.linear(a, w("self_attn.o_proj"))
        h = rms_norm(x, w("post_attention_layernorm"), eps)
        h = F.silu(F.linear(h, w("mlp.gate_proj"))) * F.linear(h, w("mlp.up_proj"))
        x = x + F.linear(h, w("mlp.down_proj"))
    return F.linear(rms_norm(x, weights["model.norm.weight"], eps), embedding)


# ------------------------------------------------------------------------------------- files

def write_atomically(path, data):
    with open(path + ".tmp", "wb") as f:
        f.write(data)
    os.replace(path + ".tmp", path)


def save_safetensors(path, weights):
    """Length of the header (u64 LE), JSON header padded with spaces to 8, then the F16 data."""
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in weights.items():
        blob = tensor.detach().to(torch.float16).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_atomically(path, struct.pack("<Q", len(text)) + text + b"".join(blobs))


def load_safetensors(path):
    """The F16 tensors of a file written by save_safetensors, upcast to float32."""
    with open(path, "rb") as f:
        data = f.read()
    (header_bytes,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + header_bytes])
    weights = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_bytes + o for o in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float16)
        weights[name] = flat.float().reshape(entry["shape"])
    return weights


def write_json(path, value):
    write_atomically(path, (json.dumps(value, indent=1) + "\n").encode())


def byte_tensor(data):
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).long()


def split_text(text_path, heldout_path, heading):
    """The held-out bytes and the two training segments before and after them."""
    with open(text_path, "rb") as f:
        text = f.read()
    if os.path.exists(heldout_path):
        with open(heldout_path, "rb") as f:
            heldout = f.read()
        if len(heldout) != HELDOUT_BYTES or text.count(heldout) != 1:
            raise SystemExit(f"{heldout_path}: not {HELDOUT_BYTES} bytes found once in the text")
        at = text.index(heldout)
    else:
        marker = f"\n{heading}\n".encode()
        if text.count(marker) != 1:
            raise SystemExit(f"the heading {heading!r} is not in the text exactly once")
        at = text.index(marker) + 1
        heldout = text[at:at + HELDOUT_BYTES]
        write_atomically(heldout_path, heldout)
    return heldout, [text[:at], text[at + HELDOUT_BYTES:]]


# ------------------------------------------------------------------------------- measurement

def window_losses(weights, cfg, heldout, window, limit=None):
    """Mean loss of every window of the held-out text (see LOSS_RULE)."""
    windows = byte_tensor(heldout).view(-1, window)[:limit]
    losses = []
    with torch.no_grad():
        for part in windows.split(max(1, 4096 // window)):
            logits = forward(weights, cfg, part)[:, :-1]
            nll = F.cross_entropy(logits.transpose(1, 2), part[:, 1:], reduction="none")
            losses.append(nll.double().mean(dim=1))
    return torch.cat(losses)


def reference_facts(weights, cfg, heldout, count):
    """Numbers to check another implementation against (see FACTS_RULE)."""
    tokens, entropies = byte_tensor(heldout[:count])[None], []
    with torch.no_grad():
        logits = forward(weights, cfg, tokens, entropies)[0]
    nll = F.cross_entropy(logits[:-1], tokens[0, 1:], reduction="none").double()
    wide = logits.double()
    by_head = torch.stack([e[0, :, 1:].mean(dim=1) for e in entropies])
    return {
        "bytes": count,
        "argmax": logits.argmax(-1).tolist(),
        "logits_mean": wide.mean().item(),
        "logits_std": wide.std(unbiased=False).item(),
        "last_position_logits": [round(v, 6) for v in wide[-1].tolist()],
        "loss_nats": nll.mean().item(),
        "attention_entropy": by_head.tolist(),
        "attention_entropy_layer_mean": by_head.mean(dim=1).tolist(),
    }


def measure(out, heldout):
    """Reloads the stored checkpoint and returns the losses and the reference facts."""
    with open(os.path.join(out, "config.json")) as f:
        cfg = json.load(f)
    weights = load_safetensors(os.path.join(out, "model.safetensors"))
    result = {"loss_rule": LOSS_RULE, "losses": {}}
    for window in (1024, 256):
        losses = window_losses(weights, cfg, heldout, window)
        result["losses"][f"window_{window}"] = {
            "windows": len(losses),
            "predictions": len(losses) * (window - 1),
            "mean_nats_per_byte": losses.mean().item(),
            "mean_bits_per_byte": losses.mean().item() / math.log(2),
            "first_window_nats_per_byte": losses[0].item(),
        }
    result["facts_rule"] = FACTS_RULE
    result["first_64_bytes"] = reference_facts(weights, cfg, heldout, 64)
    result["first_1024_bytes"] = reference_facts(weights, cfg, heldout, 1024)
    return result


# ---------------------------------------------------------------------------------- training

def keep_freed_memory():
    """Keeps glibc from returning large blocks to the kernel: page faults dominate otherwise."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    for option, value in ((-8, 1), (-4, 0), (-1, 2**31 - 1), (-2, 2**28)):
        mallopt(option, value)  # M_ARENA_MAX, M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD


def learning_rate(step, args):
    """Linear warmup, then a cosine from --lr down to a twentieth of it."""
    if step < args.warmup:
        return args.lr * (step + 1) / args.warmup
    progress = (step - args.warmup) / max(1, args.steps - args.warmup)
    return args.lr * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))


def sample_batch(segments, batch, length, generator):
    """Windows of length+1 bytes drawn uniformly from all places inside the segments."""
    places = [len(s) - length for s in segments]
    draws = torch.randint(sum(places), (batch,), generator=generator).tolist()
    rows = []
    for draw in draws:
        index = 0
        while draw >= places[index]:
            draw -= places[index]
            index += 1
        rows.append(segments[index][draw:draw + length + 1])
    return torch.stack(rows)


def train(args, heldout, segments):
    """Trains, saving the last weights now and then; returns the record of the run."""
    generator = torch.Generator().manual_seed(args.seed)
    if args.init:
        weights = load_safetensors(os.path.join(args.init, "model.safetensors"))
    else:
        weights = init_weights(CONFIG, generator)
    for tensor in weights.values():
        tensor.requires_grad_(True)
    matrices = [t for t in weights.values() if t.dim() == 2]
    norms = [t for t in weights.values() if t.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": args.weight_decay},
         {"params": norms, "weight_decay": 0.0}], betas=(0.9, 0.95), eps=1e-8)
    parameters = sum(t.numel() for t in weights.values())
    print(f"{parameters} parameters, {sum(map(len, segments))} training bytes", flush=True)

    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(True))

    segments = [byte_tensor(s) for s in segments]
    length, model_path = CONFIG["max_position_embeddings"], f"{args.out}/model.safetensors"
    write_json(f"{args.out}/config.json", CONFIG)
    begin, running, step = time.time(), None, 0
    while step < min(args.steps, args.stop_at or args.steps) and not stop:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        rows = sample_batch(segments, args.batch, length, generator)
        logits = forward(weights, CONFIG, rows[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        if not torch.isfinite(norm):
            raise SystemExit(f"step {step}: the gradient is not finite")
        optimizer.step()
        step += 1
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % args.log_every == 0 or step == args.steps:
            per_step = (time.time() - begin) / step
            print(f"step {step}/{args.steps} loss {running:.4f} grad {norm:.2f} "
                  f"lr {learning_rate(step - 1, args):.2e} {per_step * 1e3:.0f} ms/step "
                  f"ETA {(args.steps - step) * per_step / 60:.1f} min", flush=True)
        if step % args.save_every == 0:
            save_safetensors(model_path, weights)
            some = window_losses(weights, CONFIG, heldout, length, limit=16).mean().item()
            print(f"  saved; loss on 16 held-out windows {some:.4f} (not used to choose)",
                  flush=True)
    seconds = time.time() - begin
    save_safetensors(model_path, weights)
    unrounded = window_losses(weights, CONFIG, heldout, length).mean().item()
    return {
        "parameters": parameters,
        "steps": step,
        "steps_planned": args.steps,
        "batch": args.batch,
        "context": length,
        "tokens": step * args.batch * length,
        "training_bytes": sum(map(len, segments)),
        "seed": args.seed,
        "optimizer": "AdamW, betas 0.9 0.95, gradient norm clipped to 1",
        "learning_rate": args.lr,
        "warmup_steps": args.warmup,
        "weight_decay": args.weight_decay,
        "seconds": round(seconds),
        "pytorch": torch.__version__,
        "last_running_training_loss": running,
        "heldout_loss_before_f16_rounding": unrounded,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, help="folder of the checkpoint")
    parser.add_argument("--text", help="the text to train on")
    parser.add_argument("--heldout", required=True, help="the held-out excerpt of the text")
    parser.add_argument("--heldout-from", default="Acts 1", help="heading where it starts")
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--stop-at", type=int, help="end after this step of the --steps schedule")
    parser.add_argument("--init", help="folder of a checkpoint whose weights to start from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--save-every", type=int, default=500)
    parser.add_argument("--measure", action="store_true", help="measure only, do not train")
    args = parser.parse_args()

    keep_freed_memory()
    os.makedirs(args.out, exist_ok=True)
    reference_path = os.path.join(args.out, "reference.json")
    if args.measure:
        with open(args.heldout, "rb") as f:
            heldout = f.read()
        with open(reference_path) as f:
            record = json.load(f)["training"]
    else:
        if not args.text:
            parser.error("--text is needed to train")
        heldout, segments = split_text(args.text, args.heldout, args.heldout_from)
        record = []
        if args.init:
            with open(os.path.join(args.init, "reference.json")) as f:
                record = json.load(f)["training"]
        record = record + [train(args, heldout, segments)]
    reference = measure(args.out, heldout)
    reference["training"] = record
    write_json(reference_path, reference)
    print(json.dumps(reference["losses"], indent=1))


if __name__ == "__main__":
    main()
