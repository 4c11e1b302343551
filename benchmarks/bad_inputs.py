"""Bad inputs by the thousand: `python benchmarks/bad_inputs.py --count 1000 --seed 1`; any fault ends it with status 1.

Every input is made from the seed and its number, in a process of its own, and goes the way of a night: the folder is
looked through, logs and settings are read, frames are measured and taken into a store. What is right is a result or an
error in words. A fault is any other exception, a hang, memory outgrown, or a process that died.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
from bad_files import CAPTURES  # noqa: E402
from bad_surroundings import SURROUNDINGS  # noqa: E402

from configs.load import BadConfig, load_config  # noqa: E402
from configs.request import NightRequest  # noqa: E402
from storage.captures.capture import capture_at  # noqa: E402
from storage.captures.file_stability import StabilityCheck, cached_fingerprint  # noqa: E402
from storage.captures.night import frame_bytes, night_at, night_settings, output_folder, sidecars_of  # noqa: E402
from storage.errors import StillskyError  # noqa: E402
from storage.store import Store  # noqa: E402
from tasks.ingest import ingest  # noqa: E402
from tasks.running.step import Run  # noqa: E402

KINDS = CAPTURES | SURROUNDINGS
"""Kind of bad input: what makes it."""
LIMIT_S = 60.0
"""An input that takes longer hangs; a good one takes some hundredths of a second."""
LIMIT_BYTES = 1_500_000_000
"""Memory that no bad input may need."""
GUARD_BYTES = 12_000_000_000
"""The system stops a process that asks for more addresses: a fault must not take the machine with it."""


def attempt(folder: Path, work: Path) -> list[str]:
    """Go the way of a night through a folder; returns what came of each capture, in words."""
    store, outcomes = Store(work / "store"), []
    try:
        night_settings(NightRequest(folder=folder, config=next(iter(folder.glob("user.toml")), None)))
        found = night_at(folder)
    except (StillskyError, BadConfig) as error:
        return [_in_words(error)]
    watch = StabilityCheck(0, 0)
    named = {recording.path: recording for recording in found.captures}
    for recording in found.captures:
        output_folder(work / "out", recording.name).mkdir(parents=True)
        _ = recording.night, frame_bytes(recording.path), watch.is_complete(recording.path)
    # What a night leaves out can still be named by hand.
    by_hand = [p for p in sorted(folder.iterdir()) if p not in named and p.name.startswith("a")]
    for path in [*named, *by_hand]:
        try:
            sidecars, profile = sidecars_of(path, folder)
            config = load_config(None, profile, (), sidecars)
            camera = config.camera
            capture = capture_at(path, camera.dark, camera.flat, camera.exposure_s, cached_fingerprint(store))
            ingest(Run(store), capture, config.ingest)
            outcomes.append("restored")
        except (StillskyError, BadConfig) as error:
            outcomes.append(_in_words(error))
    return outcomes or ["no capture"]


def _in_words(error: Exception) -> str:
    text = str(error)
    if not 20 < len(text) < 2000:
        raise AssertionError(f"no good sentence: {text[:200]!r}") from error
    return f"{type(error).__name__}: {text}"


def _child(seed: int, number: int, kind: str, report: Path) -> None:
    """Make one input and try it; the report is written last."""
    resource.setrlimit(resource.RLIMIT_AS, (GUARD_BYTES, GUARD_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(0)
    try:
        folder = report.parent / "night"
        folder.mkdir()
        KINDS[kind](np.random.default_rng([seed, number]), folder)
        report.write_text(json.dumps({"outcomes": attempt(folder, report.parent)}), encoding="utf-8")
    except BaseException:
        report.write_text(json.dumps({"fault": traceback.format_exc()}), encoding="utf-8")


def tried(seed: int, number: int, kind: str) -> dict[str, object]:
    """The report on one input: its outcomes, or its fault."""
    place = Path(tempfile.mkdtemp(prefix="stillsky-bad-"))
    try:
        return _watched(seed, number, kind, place / "report.json")
    finally:
        subprocess.run(["rm", "-rf", place], check=True)  # Python's own removal ends at a thousand nested folders


def _watched(seed: int, number: int, kind: str, report: Path) -> dict[str, object]:
    begun = time.monotonic()
    process = os.fork()
    if process == 0:
        try:
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 1)
            os.dup2(devnull, 2)
            _child(seed, number, kind, report)
        finally:
            os._exit(0)
    while True:
        ended, status, usage = os.wait4(process, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - begun > LIMIT_S:
            os.kill(process, signal.SIGKILL)
            os.wait4(process, 0)
            return {"fault": f"hang: more than {LIMIT_S:.0f} s", "what": "hang"}
        time.sleep(0.002)
    found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    if not found or status:
        return {"fault": f"the process died with status {status}", "what": "died"}
    found |= {"bytes": usage.ru_maxrss * 1024, "seconds": time.monotonic() - begun}
    if "fault" in found:
        found["what"] = "traceback"
    elif found["bytes"] > LIMIT_BYTES:
        found |= {"fault": f"memory: {found['bytes'] / 1e9:.2f} GB", "what": "memory"}
    return found


def main() -> int:
    """Try the inputs and print what came of them; 1 if there was a fault."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", type=int, help="this one input, and all it says")
    arguments.add_argument("--show", action="store_true", help="what is said of every input")
    arguments.add_argument("--kind", choices=sorted(KINDS), help="inputs of this kind only")
    given = arguments.parse_args()
    kinds = [given.kind] if given.kind else list(KINDS)
    numbers = [given.only] if given.only is not None else range(given.count)
    faults, classes, slowest, largest = Counter[str](), Counter[str](), 0.0, 0
    for number in numbers:
        kind = kinds[number % len(kinds)]
        found = tried(given.seed, number, kind)
        if "fault" in found:
            faults[str(found["what"])] += 1
            print(f"FAULT {number} {kind}: {found['fault']}", flush=True)
        outcomes = [str(each) for each in found.get("outcomes", [])]  # type: ignore[attr-defined]
        classes.update(each.partition(":")[0] for each in outcomes)
        if given.only is not None or given.show:
            print(number, kind, *outcomes, sep="\n  ")
        slowest = max(slowest, float(found.get("seconds", 0)))  # type: ignore[arg-type]
        largest = max(largest, int(found.get("bytes", 0)))  # type: ignore[call-overload]
    told = ", ".join(f"{count} {name}" for name, count in classes.most_common())
    print(
        f"{len(numbers)} bad inputs of {len(kinds)} kinds: {faults['traceback']} tracebacks, {faults['hang']} hangs, "
        f"{faults['memory']} with memory outgrown, {faults['died']} died; slowest {slowest:.1f} s, "
        f"largest {largest / 1e9:.2f} GB; {told}"
    )
    return 1 if faults.total() else 0


if __name__ == "__main__":
    sys.exit(main())
