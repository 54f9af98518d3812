"""A party's node as it is, but for workers that crash where a test says.

It leaves its process id in its folder, so that such a worker can take its node along.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from crash_points import NODE_ID

from parties.node.main import main

if __name__ == "__main__":
    (Path(sys.argv[1]).parent / NODE_ID).write_text(str(os.getpid()))
    main(zygote_module="crashing_zygote")
