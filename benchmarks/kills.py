"""kill -9, many times: a restore, publishing, a night and `stillsky serve`, each killed in another step at another moment.

    python benchmarks/kills.py --kills 1000

Every kill is followed by a look at all files: what was whole is still there and was not made again, what is new is whole.
After some kills each subject comes to its end, and its skies are compared with those of a run that nobody disturbed.
Steps and moments follow from --seed. Exit code 1 if anything was lost, made twice, half written or different.
"""

import argparse
import contextlib
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from kill_ledger import Ledger, Tally
from kill_subjects import PUBLISHING, Job, Serve, captures, night, prepare, restore, run

from flows.server import embedded
from tasks.benchmark.simulate import simulate

SHARES = {"restore": 0.5, "publishing": 0.2, "night": 0.2, "serve": 0.1}
"""Share of the kills that each subject gets."""
VICTIMS = ("run", "worker", "server", "serve")
"""Processes of serve that are killed."""
KILLS_PER_STEP = 6
"""Kills in each step of one restore, which then comes to its end."""
KILLS_PER_RESULT = 10
"""Kills while one result is published; the next time all files are written."""
KILLS_PER_RUN = 4
"""Kills of serve and its processes for each capture: a run that has died five times is given up, as documented."""
FAULTS = ("lost", "redone", "half", "changed")


@dataclass
class Campaign:
    """All that is shared by the subjects: where they work, what is drawn by lot, what was counted."""

    folder: Path
    dice: random.Random
    kills: int
    n_captures: int
    """Captures of a night, and of an inbox."""
    end: float
    """Time at which to stop, seconds of the monotonic clock."""
    tally: Tally = field(default_factory=Tally)
    films: list[Path] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Step: how long it takes in a restore that nobody disturbs."""
    number: int = 0
    """Of the folder of the next session."""

    @property
    def over(self) -> bool:
        """Are there enough kills, or is the time over?"""
        return self.tally.kills.total() >= self.kills or time.monotonic() > self.end

    def reference(self, film: Path) -> Path:
        """The folder with the results of the undisturbed restore of a capture."""
        return self.folder / "undisturbed" / film.stem

    def begin(self) -> None:
        """Simulate the captures and restore each undisturbed."""
        film, *_ = simulate(
            self.folder / "film.ser",
            {"n_frames": 40, "size_px": 64, "d_over_r0": 4.0, "photons_peak": 8000.0, "seed": 3},
        )
        (self.folder / "captures").mkdir()
        self.films = captures(Path(film), self.folder / "captures", self.n_captures)
        for each in self.films:
            given = {"film": each, "store": self.folder / "undisturbed" / "store", "out": self.reference(each)}
            self.seconds = run(Job(restore, given)).seconds

    def session(self) -> Path:
        """A new empty folder for a subject."""
        self.number += 1
        folder = self.folder / f"session{self.number}"
        folder.mkdir()
        return folder

    def delay(self, step: str) -> float:
        """A moment inside a step, seconds after its begin."""
        return self.dice.uniform(0, self.seconds.get(step, 0.2))

    def count(self, subject: str, inside: str) -> None:
        """Write a kill down."""
        self.tally.kills[subject, inside] += 1


def kill_restore(campaign: Campaign) -> None:
    """One restore, killed some times in each of its steps."""
    folder, film = campaign.session(), campaign.dice.choice(campaign.films)
    given = {"film": film, "store": folder / "store", "out": folder / "out"}
    ledger = Ledger(campaign.tally, "restore", folder / "store", {folder / "out": campaign.reference(film)})
    steps = [step for step in campaign.seconds if step not in ("", PUBLISHING)]
    kills_per_step = max(1, min(KILLS_PER_STEP, campaign.kills // len(steps)))
    targets = [number for number in range(len(steps)) for _ in range(kills_per_step)]
    for number in targets:
        late = set(steps[number:])  # the step itself may be done meanwhile
        if campaign.over or not _strike(campaign, ledger, Job(restore, given), late.__contains__):
            break
    run(Job(restore, given))
    ledger.close()
    shutil.rmtree(folder)


def kill_publishing(campaign: Campaign) -> None:
    """A finished restore, killed while its result is published."""
    folder, film = campaign.session(), campaign.dice.choice(campaign.films)
    shutil.copytree(campaign.folder / "undisturbed" / "store", folder / "store")
    given = {"film": film, "store": folder / "store", "out": folder / "out"}
    ledger = Ledger(campaign.tally, "publishing", folder / "store", {folder / "out": campaign.reference(film)})
    ledger.look()
    for _ in range(KILLS_PER_RESULT):
        if not campaign.over:
            _strike(campaign, ledger, Job(restore, given), lambda doing: doing == PUBLISHING)
    run(Job(restore, given))
    ledger.close()
    shutil.rmtree(folder)


def kill_night(campaign: Campaign) -> None:
    """One night, killed in every step of each of its captures, and between them."""
    folder = campaign.session()
    _fill(folder / "night", campaign.films)
    out = folder / "night" / "restored"
    results = {out / f"{film.stem}_ser": campaign.reference(film) for film in campaign.films}
    ledger = Ledger(campaign.tally, "night", folder / "store", results)
    job = Job(night, {"folder": folder / "night", "store": folder / "store"})
    for _ in range(campaign.n_captures * (len(campaign.seconds) - 1)):
        if campaign.over:
            break
        begun, skipped = itertools.count(), campaign.dice.choice((0, 1, 2, 2, 3))
        _strike(campaign, ledger, job, lambda _, begun=begun, skipped=skipped: next(begun) >= skipped)
    run(job)
    ledger.close()
    shutil.rmtree(folder)


def kill_serve(campaign: Campaign) -> None:
    """One serve, whose processes are killed while captures come into its inbox."""
    folder = campaign.session()
    serve = Serve(folder)
    results = {film: serve.inbox / "restored" / f"{film.stem}_ser" for film in campaign.films}
    references = {out: campaign.reference(film) for film, out in results.items()}
    ledger = Ledger(campaign.tally, "serve", serve.store, references)
    serve.inbox.mkdir()
    shutil.copy(campaign.films[0].with_suffix(".toml"), serve.inbox / "stillsky.toml")
    serve.start()
    try:
        for film, out in results.items():
            _restore_in(campaign, ledger, serve, film, out)
        serve.until(lambda: "run" not in serve.family().values(), "a run does not end")
    finally:
        serve.stop()
    ledger.close()
    shutil.rmtree(folder)


SUBJECTS: dict[str, Callable[[Campaign], None]] = {
    "restore": kill_restore, "publishing": kill_publishing, "night": kill_night, "serve": kill_serve
}  # fmt: skip


def _fill(folder: Path, films: list[Path]) -> None:
    folder.mkdir()
    for film in films:
        shutil.copy(film, folder)
    shutil.copy(films[0].with_suffix(".toml"), folder / "stillsky.toml")


def _strike(campaign: Campaign, ledger: Ledger, job: Job, chosen: Callable[[str], bool]) -> bool:
    """Run a job and kill it inside the first step that is chosen, then look at what is there; False if it came to its end."""
    life = run(job, lambda doing: campaign.delay(doing) if chosen(doing) else None)
    if life.inside:
        campaign.count(ledger.subject, life.inside)
    ledger.look()
    return bool(life.inside)


def _restore_in(campaign: Campaign, ledger: Ledger, serve: Serve, film: Path, out: Path) -> None:
    """Put one capture into the inbox, kill until it has had its share, and wait for its result."""
    shutil.copy(film, serve.inbox / f"{film.stem}.part")
    (serve.inbox / f"{film.stem}.part").rename(serve.inbox / film.name)
    for _ in range(KILLS_PER_RUN):
        if campaign.over or not _strike_serve(campaign, ledger, serve, out):
            break
    serve.until((out / "report.json").exists, f"{film.name} is not restored")


def _strike_serve(campaign: Campaign, ledger: Ledger, serve: Serve, out: Path) -> bool:
    """Wait until something new is in the store and a moment more, then kill a process; False once the result is there."""
    before = set(ledger.known)
    victim = campaign.dice.choice(VICTIMS)

    def ready() -> bool:
        ledger.look()
        return set(ledger.known) != before or (out / "report.json").exists()

    serve.until(ready, "serve does not go on")
    time.sleep(campaign.dice.uniform(0, 1.0))
    if (out / "report.json").exists():
        return False
    if serve.kill(victim):
        campaign.count("serve", f"its process: {victim}")
    ledger.look()
    return True


def table(tally: Tally, subjects: list[str]) -> Iterator[str]:
    """The outcome as a Markdown table."""
    yield "| killed | inside | kills | skies compared | lost | made twice | half | different |"
    yield "|---|---|---|---|---|---|---|---|"
    for subject in subjects:
        inside = {where: count for (who, where), count in tally.kills.items() if who == subject}
        for where, count in inside.items():
            yield f"| {subject} | {where} | {count} | | | | | |"
        found = " | ".join(str(tally.faults[subject, kind]) for kind in FAULTS)
        yield f"| **{subject}** | | **{sum(inside.values())}** | {tally.ends[subject]} | {found} |"
    faults = Counter[str]()
    for (_, kind), count in tally.faults.items():
        faults[kind] += count
    found = " | ".join(str(faults[kind]) for kind in FAULTS)
    yield f"| **all** | | **{tally.kills.total()}** | {tally.ends.total()} | {found} |"


def main() -> int:
    """Kill, compare, print the table; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--captures", type=int, default=3, help="of a night, and of an inbox")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop killing after so long")
    parser.add_argument("--only", action="append", choices=list(SUBJECTS), help="this subject; may be repeated")
    given = parser.parse_args()
    subjects = given.only or list(SUBJECTS)
    with tempfile.TemporaryDirectory(prefix="stillsky-kills-") as name, contextlib.ExitStack() as stack:
        folder, end = Path(name), time.monotonic() + 60 * given.minutes
        if "night" in subjects:
            stack.enter_context(embedded.server(folder))
            embedded.wait_for_server()
        stack.enter_context(contextlib.chdir(folder))
        prepare()
        campaign = Campaign(folder, random.Random(given.seed), given.kills, given.captures, end)
        campaign.begin()
        done = Counter[str]()
        while not campaign.over:
            subject = min(subjects, key=lambda each: done[each] / SHARES[each])
            before = campaign.tally.kills.total()
            SUBJECTS[subject](campaign)
            done[subject] += max(1, campaign.tally.kills.total() - before)
            print(f"{campaign.tally.kills.total()} kills, {campaign.tally.faults.total()} faults", file=sys.stderr)
    print(*table(campaign.tally, subjects), sep="\n")
    return 1 if campaign.tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
