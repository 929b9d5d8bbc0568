"""Every signal that a plan can carry, as one type: what is not here cannot be restored from a snapshot."""

from rules.signals.base_load import BaseLoad
from rules.signals.baseline import Baseline
from rules.signals.cumulative import Cumulative
from rules.signals.curve import Curve
from rules.signals.cycles import ShortCycles
from rules.signals.defrost import Defrost
from rules.signals.out_of_hours import OutOfHours
from rules.signals.rate import Rate
from rules.signals.schedule import InSchedule
from rules.signals.share import Duty, Mean, Unreadable
from rules.signals.stuck import Stuck
from rules.signals.unbalance import Unbalance

Signal = (
    Rate | Stuck | Cumulative | Curve | Duty | Mean | Unreadable | ShortCycles | Defrost | InSchedule | Unbalance
    | Baseline | BaseLoad | OutOfHours
)  # fmt: skip
