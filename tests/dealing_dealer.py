"""A dealer as it is, but for histograms, which need it, and workers that deal a comparison."""

from __future__ import annotations

from dealt_visits import histograms_need_a_dealer

from parties.dealer.main import main

if __name__ == "__main__":
    with histograms_need_a_dealer():
        main(zygote_module="dealing_zygote")
