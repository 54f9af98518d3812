"""The process a dealer forks its workers from: ``python -m parties.dealer.zygote DESCRIPTOR``."""

from __future__ import annotations

import sys

from parties.dealer.worker import work
from parties.worker.forking import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]), work)
