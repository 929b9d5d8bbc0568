"""The topics of the contract, version 1: how each is written, and what any topic string means.

Decides nothing about payloads. Building checks ids and raises ValueError (a defect of the caller); parsing what came
from a broker never raises: it returns a `Topic` or a `Rejection`. No numpy here: this runs on the edge box.
"""

import re
from enum import StrEnum

import msgspec

from domain.ids import ID_PATTERN, check_id, parse_point
from domain.reasons import DeadReason
from wire.rejection import Rejection, quote

ROOT = "caretaker/1"
LONGEST = 400  # bytes; six ids, the words between them and a sequence number fit
LAST_SEQ = 2**63 - 1
MOST_BEGINNINGS = 10_000  # topics of packs, without their numbers, that a `TopicReader` remembers; then none
_DIGITS = 18  # of a pack's number; all such numbers are below LAST_SEQ
_ZERO = ord("0")


class Kind(StrEnum):
    """What a topic carries."""

    READINGS = "readings"  # a sequenced pack, settled by a receipt
    UNSEQUENCED = "unsequenced"  # a pack of a simple device: no receipt
    RECEIPT = "receipt"
    BIRTH = "birth"
    STATUS = "status"
    ALARM = "alarm"


class Topic(msgspec.Struct, frozen=True, gc=False):
    """A topic in its parts; those that its kind does not have are empty, `seq` is 0.

    `point` (`asset/metric`) and `rule` belong to ALARM, `boot` and `seq` (from 1) to READINGS, `agent` to all but
    ALARM.
    """

    kind: Kind
    site: str
    agent: str = ""
    boot: str = ""
    seq: int = 0
    rule: str = ""
    point: str = ""

    def __str__(self) -> str:
        return build_topic(self)


_TOPIC = re.compile(
    rf"{ROOT}/(?P<site>{ID_PATTERN})/(?:"
    rf"agents/(?P<agent>{ID_PATTERN})/(?:"
    rf"readings(?:/(?P<boot>{ID_PATTERN})/(?P<seq>[1-9][0-9]{{0,18}}))?|(?P<word>receipt|birth|status))"
    rf"|alarms/(?P<rule>{ID_PATTERN})/(?P<point>{ID_PATTERN}/{ID_PATTERN}))"
)


def readings_topic(site: str, agent: str, boot: str, seq: int) -> str:
    """Where the agent publishes pack number `seq` (from 1) of this `boot`."""
    if not 1 <= seq <= LAST_SEQ:
        raise ValueError(f"a pack's number is 1 or more, not {seq}")
    return f"{_of_agent(site, agent)}/readings/{check_id(boot, 'boot')}/{seq}"


def unsequenced_topic(site: str, agent: str) -> str:
    """Where a simple device publishes."""
    return f"{_of_agent(site, agent)}/readings"


def receipt_topic(site: str, agent: str) -> str:
    """Where ingest writes the agent's receipt, retained; the agent subscribes to exactly this."""
    return f"{_of_agent(site, agent)}/receipt"


def birth_topic(site: str, agent: str) -> str:
    """Where the agent announces its points, retained."""
    return f"{_of_agent(site, agent)}/birth"


def status_topic(site: str, agent: str) -> str:
    """Where the agent (or its last will) says whether it is online, retained."""
    return f"{_of_agent(site, agent)}/status"


def alarm_topic(site: str, rule: str, point: str) -> str:
    """Where ingest writes an alarm, retained; `point` is `asset/metric`."""
    return f"{ROOT}/{check_id(site, 'site')}/alarms/{check_id(rule, 'rule')}/{parse_point(point)}"


def build_topic(topic: Topic) -> str:
    """The string of a `Topic`; `parse_topic` reads it back. ValueError when a part is not legal."""
    match topic.kind:
        case Kind.READINGS:
            return readings_topic(topic.site, topic.agent, topic.boot, topic.seq)
        case Kind.UNSEQUENCED:
            return unsequenced_topic(topic.site, topic.agent)
        case Kind.ALARM:
            return alarm_topic(topic.site, topic.rule, topic.point)
        case Kind.RECEIPT | Kind.BIRTH | Kind.STATUS:
            return f"{_of_agent(topic.site, topic.agent)}/{topic.kind}"


def parse_topic(text: str) -> Topic | Rejection:
    """What the topic means, or why it is none of ours (`bad_topic`). Never raises."""
    found = _TOPIC.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        return Rejection(DeadReason.BAD_TOPIC, f"{quote(text)} is not a topic of {ROOT}: see docs/wire.md")
    site, agent, boot, seq, word, rule, point = found.groups()
    if agent is None:
        return Topic(Kind.ALARM, site, rule=rule, point=point)
    if word is not None:
        return Topic(Kind(word), site, agent)
    if boot is None:
        return Topic(Kind.UNSEQUENCED, site, agent)
    if int(seq) > LAST_SEQ:
        return Rejection(DeadReason.BAD_TOPIC, f"{quote(text)}: the number of the pack is beyond {LAST_SEQ}")
    return Topic(Kind.READINGS, site, agent, boot, int(seq))


class TopicReader:
    """Reads topics from their bytes as `parse_topic` does, quicker where the same agent sends pack after pack."""

    def __init__(self) -> None:
        self._beginnings: dict[bytes, tuple[str, str, str]] = {}

    def read(self, raw: bytes) -> tuple[str, Topic | Rejection]:
        """The topic's text (empty when it is not UTF-8), and what it means. Never raises."""
        beginning, _, number = raw.rpartition(b"/")
        known = self._beginnings.get(beginning)
        if known is not None and number.isdigit() and number[0] != _ZERO and len(number) <= _DIGITS:
            return raw.decode("ascii"), Topic(Kind.READINGS, *known, int(number))
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            return "", Rejection(DeadReason.BAD_TOPIC, f"the topic is not UTF-8: {error.reason}")
        topic = parse_topic(text)
        if isinstance(topic, Topic) and topic.kind is Kind.READINGS:
            if len(self._beginnings) >= MOST_BEGINNINGS:
                self._beginnings.clear()
            self._beginnings[beginning] = topic.site, topic.agent, topic.boot
        return text, topic


def ingest_filters(site: str | None = None) -> tuple[str, ...]:
    """What ingest subscribes to (QoS 1), for one site or for all.

    `readings/#` matches both kinds of packs, and also what is malformed below it, so that it becomes a dead letter
    instead of vanishing.
    """
    agents = f"{ROOT}/{'+' if site is None else check_id(site, 'site')}/agents/+"
    return (f"{agents}/readings/#", f"{agents}/birth", f"{agents}/status")


def watch_filters() -> tuple[str, ...]:
    """What tells of agents at sites that nobody described, without hearing what all others say: births, statuses, and
    the first pack of a boot, which an agent repeats until it gets a receipt."""
    agents = f"{ROOT}/+/agents/+"
    return (f"{agents}/birth", f"{agents}/status", f"{agents}/readings/+/1")


def client_id(site: str, agent: str) -> str:
    """An agent's MQTT client id, which is also its user name: no id has a dot, so no two agents share one."""
    return f"{check_id(site, 'site')}.{check_id(agent, 'agent')}"


def agent_filter(site: str, agent: str) -> str:
    """What an agent subscribes to (QoS 1): its own receipt."""
    return receipt_topic(site, agent)


def _of_agent(site: str, agent: str) -> str:
    return f"{ROOT}/{check_id(site, 'site')}/agents/{check_id(agent, 'agent')}"
