"""The process a party's node forks its workers from: torch, CrypTen and DuckDB are imported here.

python -m parties.worker.zygote DESCRIPTOR
"""

from __future__ import annotations

import sys

from parties.worker.forking import serve


def main() -> None:
    """Preload what a worker needs, then serve."""
    import duckdb  # noqa: F401 - imported only when a table is opened, and slow

    from parties.worker.study import work

    serve(int(sys.argv[1]), work)


if __name__ == "__main__":
    main()
