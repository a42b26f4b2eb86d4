"""Who adds up: this process, several processes, or several machines.   (SPEC 1)"""

from __future__ import annotations

from saffu.engines.choice import ENGINES, POOL_PAYS, open_engine
from saffu.engines.engine import Engine, Serial
from saffu.engines.pool import Pool

__all__ = ["ENGINES", "POOL_PAYS", "Engine", "Pool", "Serial", "open_engine"]
