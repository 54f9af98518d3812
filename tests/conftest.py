"""Settings of every test."""

from __future__ import annotations

import signal

from hypothesis import settings

# A shell's background jobs ignore SIGINT, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("parley", deadline=None)
settings.load_profile("parley")
