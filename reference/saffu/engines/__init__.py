"""Sums over a text: the passes that take them, and the engines that do the work.   (SPEC 1)

An engine is this process, several processes, or several machines; the sum is the same bits on each.
"""

from __future__ import annotations

from saffu.engines.engine import Engine, Serial
from saffu.engines.opening import ENGINES, POOL_PAYS, open_engine
from saffu.engines.pool import Pool

__all__ = ["ENGINES", "POOL_PAYS", "Engine", "Pool", "Serial", "open_engine"]
