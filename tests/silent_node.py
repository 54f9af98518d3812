"""A party's node as it is, but for a zygote of workers that add no noise."""

from __future__ import annotations

from parties.node.main import main

if __name__ == "__main__":
    main(zygote_module="silent_zygote")
