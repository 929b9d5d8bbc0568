"""What is said beside an alarm, as far as the measure judges it: the likeliest cause, and the minutes left.

`Adviser` is the socket: given the readings of a canteen and the detections in it, it answers with one `Advice` per
fault, from nothing later than the detection. Without one, the figures are null.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from caretaker.alarmbench.measure import Advice, Raised
from caretaker.alarmbench.truth import FaultTruth
from domain.catalogue import Catalogue
from simulators.faults import FaultKind
from simulators.probes import PointReadings

_K = FaultKind

# The word of `rules.insight` that names each kind of fault rightly.
CAUSE_OF: Mapping[str, str] = MappingProxyType(
    {
        _K.COMPRESSOR_FAILURE: "compressor", _K.DOOR_LEFT_OPEN: "door", _K.POWER_CUT: "power_cut",
        _K.REFRIGERANT_LOSS: "refrigerant_or_condenser", _K.CONDENSER_FOULING: "refrigerant_or_condenser",
        _K.ICED_EVAPORATOR: "icing", _K.MISSED_DEFROST: "icing", _K.ENDLESS_DEFROST: "defrost", _K.FAN_FAILURE: "fan",
        _K.STUCK_SENSOR: "sensor", _K.DROP_OUT: "sensor", _K.ERROR_CODE: "sensor", _K.SENSOR_DRIFT: "sensor",
    }
)  # fmt: skip


class Adviser(Protocol):
    """Says what it thinks at each detection."""

    def __call__(
        self,
        canteen: Catalogue,
        points: Sequence[PointReadings],
        faults: Sequence[FaultTruth],
        found: Mapping[str, Raised],
    ) -> Mapping[str, Advice]:
        """Advice by fault id; `found` fault id -> the alarm that detected it, whose time is the present."""
        ...
