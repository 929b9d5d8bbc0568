"""`python -m tests.faults`: breaks real installations on purpose and says what was lost, doubled or said wrongly.

Exit code 0 when nothing was; 1 when something was, or a fault could not be brought to its end.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.faults.context import Context
from tests.faults.disks import NotPermittedError
from tests.faults.kinds import FAULTS, Fault
from tests.faults.processes import find_mosquitto
from tests.faults.report import Result, as_object, as_table, write_page
from tests.faults.verdict import judge


def main(words: Sequence[str] | None = None) -> int:
    asked = _arguments(words)
    chosen = [fault for fault in FAULTS if not asked.only or fault.name in asked.only]
    unknown = set(asked.only) - {fault.name for fault in FAULTS}
    if unknown:
        print(f"there is no fault {', '.join(sorted(unknown))}; --list names them", file=sys.stderr)
        return 2
    if asked.list:
        for fault in FAULTS:
            print(f"{fault.name:<22} {fault.what}")
        return 0
    begun = time.monotonic()
    # Each fault in a process of its own: its children end with it, and migrations share nothing.
    with ProcessPoolExecutor(asked.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        longest_first = sorted(chosen, key=lambda fault: -_rounds(fault, asked) * fault.seconds)
        done = pool.map(partial(run_named, asked=asked), [fault.name for fault in longest_first])
        results = sorted(done, key=lambda result: chosen.index(result.fault))
    seconds = time.monotonic() - begun
    if asked.page:
        write_page(results, asked.seed)
    print(json.dumps(as_object(results), indent=1) if asked.format == "json" else as_table(results))
    bad = [result for result in results if not result.good]
    tell("programme", f"{'FAILED' if bad else 'passed'} in {seconds:.0f} s; seed {asked.seed}")
    return 1 if bad else 0


def run_named(name: str, asked: argparse.Namespace) -> Result:
    """The fault of that name, in a process of its own, which leaves nothing behind when it is told to end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    return run_fault(next(fault for fault in FAULTS if fault.name == name), asked)


def run_fault(fault: Fault, asked: argparse.Namespace) -> Result:
    """One fault from its installation to its verdict; never raises."""
    rounds = _rounds(fault, asked)
    begun = time.monotonic()
    if fault.needs_mosquitto and find_mosquitto() is None:
        return _skipped(fault, "Mosquitto is not installed: apt-get install mosquitto")
    seed = random.Random(f"{asked.seed}/{fault.name}").getrandbits(32)
    folder = Path(tempfile.mkdtemp(prefix=f"caretaker-{fault.name}-", dir=asked.folder))
    context = Context(folder, seed, rounds, asked.quick, lambda text: tell(fault.name, text))
    context.tell("begins")
    skipped = ""
    try:
        fault.run(context)
        if context.place is not None:
            judge(context)
    except NotPermittedError as error:
        skipped = f"no disk could be mounted: {error}"
    except Exception as error:  # noqa: BLE001 - one fault's trouble must not end the others; it is a failure
        context.verdict.notes.append(f"it did not come to its end: {type(error).__name__}: {error}")
    finally:
        if context.place is not None:
            context.place.close()
    result = Result(fault, rounds, context.verdict, time.monotonic() - begun, skipped)
    _finish(result, folder, keep=asked.keep)
    return result


def tell(name: str, text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name}: {text}\n")  # in one piece: several processes write here
    sys.stderr.flush()


def _rounds(fault: Fault, asked: argparse.Namespace) -> int:
    return int(asked.rounds or (fault.quick if asked.quick else fault.full))


def _finish(result: Result, folder: Path, *, keep: bool) -> None:
    verdict = result.verdict
    if result.skipped:
        tell(result.fault.name, f"skipped: {result.skipped}")
    for note in verdict.notes:
        tell(result.fault.name, note)
    word = "good" if result.good else "BAD"
    tell(
        result.fault.name,
        f"{word}: {verdict.kills} kills, {verdict.produced} produced, {verdict.lost} lost, {verdict.doubled} doubled, "
        f"{verdict.alarms_differ} of {verdict.alarms} transitions differ, {result.seconds:.0f} s",
    )
    if keep or not result.good:
        tell(result.fault.name, f"kept: {folder}")
    else:
        _remove(folder)


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    folder.rmdir()


def _skipped(fault: Fault, why: str) -> Result:
    tell(fault.name, f"skipped: {why}")
    return Result(fault, 0, Context(Path(), 0, 0, True, lambda text: None).verdict, 0.0, why)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one to three rounds of each fault, about three minutes")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of each fault instead of its own number")
    parser.add_argument("--seed", type=int, default=None, help="of moments and victims; default random")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--only", default="", help="names of faults, with commas between them")
    parser.add_argument("--jobs", type=int, default=None, help="faults at the same time; default two per processor")
    parser.add_argument("--folder", type=Path, default=None, help="where the installations are made; default temporary")
    parser.add_argument("--keep", action="store_true", help="keep the installations of good faults too")
    parser.add_argument("--page", action="store_true", help="write its rows into docs/faults.md, as whole runs do")
    parser.add_argument("--list", action="store_true", help="name the faults")
    asked = parser.parse_args(words)
    asked.only = [name for name in asked.only.split(",") if name]
    asked.seed = random.SystemRandom().randrange(1 << 31) if asked.seed is None else asked.seed
    asked.jobs = asked.jobs or min(6, 2 * (os.cpu_count() or 1))  # most of the time nothing is computed
    asked.page = asked.page or not (asked.quick or asked.only or asked.rounds)
    return asked
