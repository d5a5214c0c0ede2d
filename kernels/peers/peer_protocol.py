"""What every foreign worker in Python shares: the worker protocol (harness/src/protocol.h) on stdin
and stdout, the files of a problem (harness/src/worker_peer.h), and the sampling rule.

A worker calls serve(open_device, prepare):
  open_device(backend, index, threads)  the device, with .kernels (names), .flush(), .time_ns(run)
  prepare(device, request)              the case, with .verify(), which leaves O in its files, and
                                        .run(), which launches the whole timed region once
Either may raise Skip, where a kernel cannot do what is asked, or any exception: a failed case.
"""
import json
import math
import os
import statistics
import sys
import time

TOO_FEW, TOO_MANY = 5, 10000  # samples
FLUSH_CACHES = 2  # last-level caches that emptying one writes


class Skip(Exception):
    """What a kernel cannot do."""


class Attention:
    """A case's problem, by its names in attn.h, and where its files are."""

    def __init__(self, request):
        self.__dict__.update(request["attn"])
        self.folder = request["folder"]
        self.layers_distinct = request["layers_distinct"]
        self.q_shape = (self.batch, self.heads_q, self.seq_q, self.head_dim)
        self.kv_shape = (self.batch, self.heads_kv, self.seq_kv, self.head_dim)

    def path(self, name, layer):
        return f"{self.folder}/{name}{layer}.bin"

    def is_causal(self):
        """Whether a mask is needed that is causal from the first row; Skip where the mask is
        another one, or the last row is not the last key's."""
        if self.mask == "causal" and self.seq_q == self.seq_kv:
            return True
        if self.mask == "full" or (self.mask == "causal" and self.seq_q == 1):
            return False  # the one row sees all keys
        raise Skip("its causal mask is aligned with the first row, not with the last"
                   if self.mask == "causal" else f"it has no mask {self.mask} of its own")


class WallClock:
    """A device that is timed on the host's clock."""

    def time_ns(self, run):
        begin = time.perf_counter_ns()
        run()
        return float(time.perf_counter_ns() - begin)


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


def answer(device, prepare, request):
    if request["mode"] not in ("cold", "warm"):
        raise Skip(f"the peer does not time mode {request['mode']}")
    say({"ev": "phase", "name": "prepare"})
    case = prepare(device, request)
    say({"ev": "phase", "name": "verify"})
    case.verify()
    say({"ev": "phase", "name": "measure"})
    samples, reason = measure(device, case.run, request["mode"], request["case_s"])
    variant = request["kernel"].split("/")[1]
    return {"ev": "result", "status": "ok", "reason": "", "samples": samples,
            "columns": {"variant": variant, "stop_reason": reason}}


def out_of_memory(error):
    return any(words in str(error) for words in ("out of memory", "Out of memory",
                                                 "RESOURCE_EXHAUSTED"))


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:400]


def say(event):
    OUT.write(json.dumps(event) + "\n")
    OUT.flush()


def serve(open_device, prepare):
    device = None
    with OUT:
        for line in sys.stdin:
            request = json.loads(line)
            opening = request["op"] == "hello"
            if request["op"] == "quit":
                break
            try:
                if opening:
                    device = open_device(request["backend"], request["device"], request["threads"])
                    say({"ev": "hello", "protocol": 1, "kernels": list(device.kernels)})
                else:
                    say(answer(device, prepare, request))
            except Skip as skip:
                say({"ev": "result", "status": "skipped", "reason": str(skip)})
            except Exception as error:  # a case of the peer's, whatever its library raises
                status = "oom" if out_of_memory(error) else "failed"
                say({"ev": "error", "reason": first_line(error)} if opening else
                    {"ev": "result", "status": status, "reason": first_line(error)})


# Libraries print where they like; the protocol has stdout for itself.
OUT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
