"""Messages that the rule engine fails on: found one by one, then stored without being judged, so that a site goes on.

Decides which message is given to the judge alone, and which not at all. When a batch makes the judge fail, each of its
messages is tried alone; one that fails alone too is stored unjudged. An agent with several of them is not judged for a
while, because every failure costs the site a restart from its journal. Remembered by the process only. Reads no clock.
"""

from ingest.inbox import Inbound
from wire.topics import Topic

FAILURES = 2  # of which the last one alone, before a message is not judged any more
MOST_SUSPECTS = 10_000  # messages that are remembered; then all are forgotten, and fail anew
AGENT_MESSAGES = 3  # unjudged messages of one agent, before the agent is not judged
AGENT_PAUSE = 10 * 60_000  # ms that it is not

_Key = tuple[str, int, int]


class Quarantine:
    """What failed at one site since the process began."""

    def __init__(self) -> None:
        self._failures: dict[_Key, int] = {}
        self._condemned: set[_Key] = set()
        self._of_agent: dict[str, int] = {}
        self._until: dict[str, int] = {}

    def idle(self, now: int) -> bool:
        """Whether no message is special: nothing failed that is not settled, and every agent is judged."""
        if self._until and max(self._until.values()) <= now:
            self._until.clear()
        return not self._failures and not self._until

    def alone(self, message: Inbound, now: int) -> bool:
        """Whether the message goes into a batch of its own."""
        if self.idle(now):
            return False
        return _key(message) in self._failures or not self.judged(message, now)

    def judged(self, message: Inbound, now: int) -> bool:
        """Whether the message is given to the judge."""
        return _key(message) not in self._condemned and self._until.get(_agent(message), 0) <= now

    def failed(self, messages: tuple[Inbound, ...], now: int) -> None:
        """The judge failed on a batch of these."""
        if len(self._failures) + len(messages) > MOST_SUSPECTS:
            self._failures.clear()
            self._condemned.clear()
        for message in messages:
            key = _key(message)
            self._failures[key] = self._failures.get(key, 0) + 1
            if len(messages) == 1 and self._failures[key] >= FAILURES:
                self._condemn(key, _agent(message), now)

    def settled(self, message: Inbound) -> None:
        """The message is committed, judged or not: it does not come again."""
        self._failures.pop(_key(message), None)
        self._condemned.discard(_key(message))

    def _condemn(self, key: _Key, agent: str, now: int) -> None:
        self._condemned.add(key)
        self._of_agent[agent] = self._of_agent.get(agent, 0) + 1
        if self._of_agent[agent] >= AGENT_MESSAGES:
            self._of_agent[agent] = 0
            self._until[agent] = now + AGENT_PAUSE


def _key(message: Inbound) -> _Key:
    return message.text, hash(message.payload), message.letter


def _agent(message: Inbound) -> str:
    return message.topic.agent if isinstance(message.topic, Topic) else ""
