"""A dealer as it is, but for workers that crash where a test says; see ``crashing_node``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from crash_points import DEALER_FOLDER, NODE_ID

from parties.dealer.main import main

if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve().parent
    (folder / NODE_ID).write_text(str(os.getpid()))
    os.environ[DEALER_FOLDER] = str(folder)
    main(zygote_module="crashing_dealer_zygote")
