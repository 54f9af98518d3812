"""A dealer as it is, but for workers that deal what a test compares."""

from __future__ import annotations

from parties.dealer.main import main

if __name__ == "__main__":
    main(zygote_module="dealing_zygote")
