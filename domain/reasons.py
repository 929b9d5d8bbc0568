"""Why something was not accepted: one closed set of words for log, metric, page and test.

Apart from `domain.records` so that the edge, which has no numpy, can name a reason too.
"""

from enum import StrEnum


class DeadReason(StrEnum):
    """Why something was not accepted; the same word in log, metric, page and test."""

    BAD_TOPIC = "bad_topic"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_SENML = "not_senml"
    BAD_NAME = "bad_name"
    BAD_TIME = "bad_time"
    BAD_VALUE = "bad_value"
    BAD_UNIT = "bad_unit"
    BAD_MESSAGE = "bad_message"  # a receipt, birth, status or alarm that is JSON, but not of the contract's shape
    TOO_MANY_RECORDS = "too_many_records"
    NOT_OWNER = "not_owner"
    UNKNOWN_SITE = "unknown_site"
    FUTURE_TIME = "future_time"
    TOO_MANY_POINTS = "too_many_points"
    TOO_MANY_AGENTS = "too_many_agents"
    REFUSED_BY_STORE = "refused_by_store"
