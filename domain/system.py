"""Alarms that the system raises about itself: no rule file defines them, and no reading stands behind them.

Their words are here because ingest raises them and the pages and messages name them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from domain.alarms import AlarmKey
from domain.catalogue import Label

SITE_WIDE = "site"  # stands for an asset where an alarm concerns the whole site
BROKER_UNREACHABLE = AlarmKey("broker-unreachable", f"{SITE_WIDE}/broker")

TITLES: Mapping[str, Label] = MappingProxyType(
    {
        BROKER_UNREACHABLE.rule: Label(
            "The message broker cannot be reached: nothing is heard of this site",
            "消息服务器无法连接：收不到本校区任何数据",
        )
    }
)
