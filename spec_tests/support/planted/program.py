"""A port that speaks JSON lines, right but for one way of behaving badly: `program.py WAY`.

It uses the standard library alone, so that it starts in no time, and shares no code with the kit.
The bad behaviour shows in the cases of `priming_number`, or where its name says.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from typing import Any

WAY = sys.argv[1]
OPERATIONS = ["softmax", "priming_number", "perplexity", "sgd_step", "radial_context"]


ESCAPE = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
nothing = os.open(os.devnull, os.O_RDWR)
for stream in range(3):
    os.dup2(nothing, stream)
with open(sys.argv[1] + ".new", "w") as pid:
    pid.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(3600)
"""
"""A process that leaves its parent and its session, and writes its number."""


class Refused(Exception):
    pass


def array(shape: list[int], data: list[Any], dtype: str = "float64") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data": data}


def rows(record: dict[str, Any]) -> list[list[float]]:
    _, width = record["shape"]
    data = [float(x) for x in record["data"]]
    if not all(map(math.isfinite, data)):
        raise Refused("non-finite")
    return [data[at : at + width] for at in range(0, len(data), width)]


def softmax(inputs: dict[str, Any], cotangents: dict[str, Any]) -> dict[str, Any]:
    found = []
    for row in rows(inputs["logits"]):
        weights = [math.exp(x - max(row)) for x in row]
        found.append([w / sum(weights) for w in weights])
    shape = inputs["logits"]["shape"]
    answer = {"probabilities": array(shape, [p for row in found for p in row])}
    if cotangents:
        pulled = []
        for p, dp in zip(found, rows(cotangents["probabilities"]), strict=True):
            mean = sum(x * y for x, y in zip(p, dp, strict=True))
            pulled += [x * (y - mean) for x, y in zip(p, dp, strict=True)]
        answer["gradient.logits"] = array(shape, pulled)
    return answer


def priming_number(inputs: dict[str, Any]) -> dict[str, Any]:
    features = rows(inputs["features"])
    if any(x < 0 for row in features for x in row):
        raise Refused("negative")
    return {"priming": array([], [sum(map(sum, features)) / len(features)])}


def perplexity(inputs: dict[str, Any]) -> dict[str, Any]:
    nats = inputs["nats"]["data"]
    return {"perplexity": array([], [math.exp(sum(nats) / len(nats))])}


def sgd_step(inputs: dict[str, Any], rate: float) -> dict[str, Any]:
    both = zip(inputs["parameter"]["data"], inputs["gradient"]["data"], strict=True)
    return {"parameter": array(inputs["parameter"]["shape"], [p - rate * g for p, g in both])}


def radial_context(inputs: dict[str, Any], radius: int) -> dict[str, Any]:
    document = inputs["document"]["data"]
    slots = [
        [document[t - 1 - k] if k < t else None for k in range(radius)]
        for t in range(1, len(document))
    ]
    flat = [token for row in slots for token in row]
    shape = [len(slots), radius]
    return {
        "slots": array(shape, [token or 0 for token in flat], "int64"),
        "mask": array(shape, [token is not None for token in flat], "bool"),
        "pivot": array([len(slots)], [0] * len(slots), "int64"),
    }


def answer(message: dict[str, Any]) -> dict[str, Any]:
    op, inputs, given = message["op"], message["inputs"], message["attributes"]
    seq = {"seq": message["seq"]}
    try:
        if op == "softmax":
            return {**seq, "outputs": softmax(inputs, message.get("cotangents", {}))}
        if op not in OPERATIONS:
            return {**seq, "errored": {"message": f"no function {op}"}}
        return {**seq, "outputs": globals()[op](inputs, **given)}
    except Refused as refusal:
        return {**seq, "rejected": {"reason": str(refusal)}}


def say(text: str) -> None:
    os.write(1, text.encode())


def send(message: dict[str, Any]) -> None:
    say(json.dumps(message) + "\n")


def start() -> None:
    if WAY == "crash-at-start":
        sys.exit("no licence found")
    if WAY == "deaf":
        time.sleep(600)
    if WAY == "banner":
        say("Welcome to my port!\n")
    if WAY == "refuses-to-stop":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if WAY in ("orphan", "orphan-that-talks"):
        out = None if WAY == "orphan-that-talks" else subprocess.DEVNULL
        child = subprocess.Popen(["sleep", "3600"], stdout=out, stderr=out)
        with open(sys.argv[2], "a") as pids:  # noqa: PTH123  (quick to start)
            pids.write(f"{child.pid}\n")
    if WAY in ("escapes", "escapes-twice"):
        escape = [sys.executable, "-I", "-S", "-c", ESCAPE, sys.argv[2]]
        if WAY == "escapes-twice":
            subprocess.run(escape, check=True)
        else:
            subprocess.Popen(escape)
        while not os.path.exists(sys.argv[2]):  # noqa: PTH110  (quick to start)
            time.sleep(0.01)
    operations = [*OPERATIONS, "refine", "explicit_solution"] if WAY == "claims" else OPERATIONS
    said = {
        "protocol": 2 if WAY == "other-protocol" else 1, "name": "planted", "version": "1",
        "language": "Python, bare", "precision": "float64", "operations": operations,
        "gradients": ["softmax"],
    }  # fmt: skip
    send({"seq": 1} if WAY == "no-introduction" else said)


def misbehave(right: dict[str, Any]) -> None:
    if WAY == "crash":
        sys.stderr.write("thread 'main' panicked at port.rs:7\n")
        sys.stderr.flush()
        os._exit(7)
    elif WAY == "last-words":
        for i in range(20):
            sys.stderr.write("Error: the seventh of 20\n" if i == 6 else f"line {i}\n")
        sys.stderr.flush()
        os._exit(1)
    elif WAY == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif WAY == "hang":
        time.sleep(600)
    elif WAY == "twice":
        send(right)
        send(right)
    elif WAY == "other-number":
        send({**right, "seq": right["seq"] + 1})
    elif WAY in ("noise", "noise-everywhere"):
        say("debug: entering priming_number\n")
        send(right)
    elif WAY == "noise-after":
        send(right)
        say("debug: leaving priming_number\n")
    elif WAY == "binary":
        os.write(1, b"\xff\xfe\x00\x1b[31m\n")
    elif WAY == "json-nan":
        say('{"seq": 2, "outputs": {"priming": NaN}}\n')
    elif WAY == "half-a-line":
        say(json.dumps(right)[:25])
        os._exit(0)
    elif WAY == "half-a-line-hang":
        say(json.dumps(right)[:25])
        time.sleep(600)
    elif WAY == "flood":
        while True:
            os.write(1, b"x" * 2**20)
    elif WAY == "flood-lines":
        line = b'{"seq": 1, "errored": {"message": ""}}\n' * 1000
        while True:
            os.write(1, line)
    elif WAY == "flood-stderr":
        for _ in range(64):
            os.write(2, b"x" * 2**20)
        send(right)
    elif WAY == "bomb":
        say('{"seq": 1, "outputs": [' + "[]," * (2**23 // 3 - 10) + "[]]}\n")
    elif WAY == "deep":
        say("[" * 10**6 + "\n")
    elif WAY == "short-array":
        send({"seq": right["seq"], "outputs": {"priming": array([2, 3], [1.0])}})
    elif WAY == "other-shape":
        send({"seq": right["seq"], "outputs": {"priming": array([1], right_data(right))}})
    elif WAY == "nan":
        send({"seq": right["seq"], "outputs": {"priming": array([], ["nan"])}})
    elif WAY == "other-name":
        send({"seq": right["seq"], "outputs": {"K": array([], right_data(right))}})
    elif WAY == "accepts":
        send({"seq": right["seq"], "outputs": {"priming": array([], right_data(right))}})
    elif WAY == "skips":
        link = "https://example.org/issues/7"
        send({"seq": right["seq"], "skipped": {"reason": "no sums yet", "url": link}})
    elif WAY == "skips-silently":
        send({"seq": right["seq"], "skipped": {}})
    elif WAY == "two-answers-in-one":
        send({**right, "errored": {"message": "or not"}})
    else:
        send(right)


def right_data(right: dict[str, Any]) -> list[float]:
    return right["outputs"]["priming"]["data"] if "outputs" in right else [0.0]


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message["cmd"] == "start":
            start()
        elif message["cmd"] == "run":
            right = answer(message)
            if message["op"] == "priming_number" or WAY == "noise-everywhere":
                misbehave(right)
            else:
                send(right)
        else:
            if WAY == "refuses-to-stop":
                time.sleep(600)
            if WAY == "last-word":
                send({"seq": 999, "outputs": {}})
            if WAY == "ends-badly":
                sys.exit(9)
            return


main()
