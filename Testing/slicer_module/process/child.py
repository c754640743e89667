"""Stands in for the background process: python child.py FILE does jobs, each in the manner that the file then says.

Standard library and numpy only, so that it starts at once.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

ID, JOB, MANNER, OUTPUT = "", {}, "", Path()
REQUESTS: queue.SimpleQueue = queue.SimpleQueue()
CANCELLED: set[str] = set()


def listen() -> None:
    """Take lines from standard input, in a thread; None stands for its end."""
    for line in sys.stdin:
        request = json.loads(line)
        if "cancel" in request:
            CANCELLED.add(request["cancel"])
        else:
            REQUESTS.put(request)
    REQUESTS.put(None)


def names() -> tuple[str, ...]:
    """The volumes of the result."""
    return ("sr", "cubic", *(["measured", "error_90"] if MANNER == "writes what was measured" else []))


def say(event: dict) -> None:
    event = {"id": ID, **event}
    sys.stdout.buffer.write((json.dumps(event, ensure_ascii=False) + "\n").encode())
    sys.stdout.buffer.flush()


def progress(stage: str, step: int = 0, steps: int = 1, fraction: float | None = None) -> None:
    rest = {"elapsed_s": 1.0, "remaining_s": 2.0, "fraction": fraction, "memory_mb": 100.0, "peak_mb": 100.0}
    say({"event": "progress", "stage": stage, "step": step, "steps": steps, **rest})


def scan() -> tuple[np.ndarray, np.ndarray, list[tuple[int, int, int]]]:
    """The voxels (z, y, x) of the job's region of its input, the matrix of all of it (x, y, z) to LPS, and the region.

    That is (voxels of all, start, stop) for each axis.
    """
    head, _, data = Path(JOB["input"]).read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    shape = [int(n) for n in fields["sizes"].split()][::-1]
    vectors = (fields["space directions"] + " " + fields["space origin"]).replace("(", "").replace(")", "").split()
    matrix = np.eye(4)
    matrix[:3] = np.transpose([[float(v) for v in vector.split(",")] for vector in vectors])
    dtype = {"short": "<i2", "int16": "<i2", "float": "<f4"}[fields["type"]]
    roi = JOB["roi"] or [[0, n] for n in shape]
    part = np.frombuffer(data, dtype=dtype).reshape(shape)[tuple(slice(*pair) for pair in roi)]
    return part, matrix, [(n, *pair) for n, pair in zip(shape, roi, strict=True)]


def factors(matrix: np.ndarray) -> list[float]:
    """How many times finer the result is, (z, y, x), by the job's scale or its spacing."""
    if JOB["spacing"]:
        return [max(own / JOB["spacing"], 1.0) for own in np.linalg.norm(matrix[:3, :3], axis=0)[::-1]]
    return [int(n) for n in JOB["scale"].split(",")] * (3 if "," not in JOB["scale"] else 1)


def write_results(shift_mm: float = 0.0, voxels_short: int = 0) -> None:
    """The nearest voxels of the scan as all results, where the library would put them."""
    array, matrix, region = scan()
    scale, firsts = factors(matrix), []
    for axis, (factor, (size, start, stop)) in enumerate(zip(scale, region, strict=True)):
        count = int(size * factor + 1e-6)  # over the whole scan, which has their middle
        centres = size / 2 + (np.arange(count) - (count - 1) / 2) / factor  # in its voxels, from its first face
        centres = centres[(centres > start + 0.499999 / factor) & (centres < stop - 0.499999 / factor)]
        array = array.take(np.floor(centres - start).astype(int), axis)
        firsts.append(centres[0] - 0.5)
    inner = np.diag([*(1 / np.array(scale[::-1])), 1.0])
    inner[:3, 3] = firsts[::-1]
    fine = matrix @ inner
    fine[0, 3] += shift_mm
    vectors = [f"({','.join(f'{v:.17g}' for v in fine[:3, k])})" for k in range(4)]
    header = [
        "NRRD0004", "type: short", "dimension: 3", "space: left-posterior-superior",
        "sizes: " + " ".join(map(str, array.shape[::-1])), "space directions: " + " ".join(vectors[:3]),
        "kinds: domain domain domain", "endian: little", "encoding: raw", "space origin: " + vectors[3],
    ]  # fmt: skip
    OUTPUT.mkdir()
    for name in names():
        data = array.astype("<i2").tobytes()
        whole = ("\n".join(header) + "\n\n").encode() + data
        (OUTPUT / f"{name}.nrrd").write_bytes(whole[: len(whole) - 2 * voxels_short])


def result() -> None:
    scale = factors(scan()[1])
    job = {name: JOB[name] for name in ("scale", "spacing", "preset", "seed", "settings", "prior", "roi")}
    agreement = {"sr": {"rms_hu": 1.0, "max_hu": 2.0}, "cubic": {"rms_hu": 3.0, "max_hu": 4.0}}
    report = {"note": "Not for diagnosis.", "scale": scale, "job": job, "seed": JOB["seed"], "seconds": 1.0}
    report |= {"peak_mb": 100.0, "device": "cpu", "consistency": agreement, "stages": {}}
    report["files"] = [f"{name}.nrrd" for name in names()]
    say({"event": "result", "elapsed_s": 1.0, "peak_mb": 100.0, "files": {}, "report": report})


def wait_for_cancel() -> None:
    """Work until that is cancelled, or a newer try comes, and end as the library does."""
    step = 0
    while ID not in CANCELLED and REQUESTS.empty() and os.getppid() != 1:
        progress("fit", step := step + 1, 1000, 0.5)
        time.sleep(0.02)
    say({"event": "error", "kind": "cancelled", "message": "Cancelled: asked for on stdin.", "exit_code": 3})


def main() -> None:
    global ID, JOB, MANNER, OUTPUT
    threading.Thread(target=listen, daemon=True).start()
    while (request := REQUESTS.get()) is not None:
        ID, JOB = request["id"], request["job"]
        MANNER, OUTPUT = Path(sys.argv[1]).read_text(encoding="utf-8"), Path(JOB["output"])
        do()
        if MANNER in LAST:
            break


LAST = ("ends without a result", "ends badly after its result", "prints garbage", "ends after its job")
"""Manners of a process that does no other job."""


def do() -> None:
    if MANNER == "hangs at the start":
        time.sleep(600)
    say({"event": "plan", "stages": {"fit": 1.0}})
    progress("load")
    if MANNER == "hangs":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(600)
    if MANNER == "works until cancelled":
        wait_for_cancel()
        return
    if MANNER == "has a child that hangs":
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        say({"event": "note", "message": f"grandchild {grandchild.pid}"})
        grandchild.wait()
    if MANNER == "crashes":
        sys.stderr.write("about to crash: ärgerlich\n")
        sys.stderr.flush()
        ctypes.string_at(0)
    if MANNER == "is killed by the system":
        os.kill(os.getpid(), signal.SIGKILL)
    if MANNER == "prints garbage":
        sys.stdout.buffer.write(bytes(range(256)) * 200 + b'\n{"event": 7}\n{"no": "event"}\n[]\n{"event": "progress", '
                                b'"stage": null, "fraction": "x", "steps": -3}\n{"event": "unheard of"}\n')  # fmt: skip
        sys.stdout.buffer.flush()
        return
    if MANNER == "runs out of memory":
        problem, remedies = "The memory ran out", [{"kind": "region", "ranges": None}, {"kind": "scale"}]
        remedies.insert(1, {"kind": "preset", "name": None, "memory": None})
        message = f"{problem}; choose a region of interest with --roi, a lower --preset or a lower --scale."
        told = {"message": message, "problem": problem, "remedies": remedies}
        say({"event": "error", "kind": "memory", **told, "exit_code": 2})
        return
    if MANNER == "refuses the job":
        problem = "It has NaN voxels; set them to -1024 HU."
        told = {"message": problem, "problem": problem, "remedies": []}
        say({"event": "error", "kind": "input", **told, "exit_code": 2})
        return
    if MANNER == "ends without a result":
        return
    if MANNER == "says a result and writes none":
        result()
        return
    write_results(
        shift_mm=0.01 if MANNER == "shifts the result by a hundredth of a millimetre" else 0.0,
        voxels_short=5 if MANNER == "writes too few voxels" else 0,
    )
    if MANNER == "speaks in pieces":
        text = json.dumps({"id": ID, "event": "note", "message": "größer – 4×"}, ensure_ascii=False).encode() + b"\r\n"
        for byte in text:
            sys.stdout.buffer.write(bytes([byte]))
            sys.stdout.buffer.flush()
            time.sleep(0.002)
    result()
    if MANNER == "ends badly after its result":
        sys.exit(1)


if __name__ == "__main__":
    main()
