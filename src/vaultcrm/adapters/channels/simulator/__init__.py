"""An in-process platform for the demo, tests and evaluation.

`channel` is the platform itself, `fans` a seeded model of the people on it. Neither does I/O: who
runs a simulation decides when a fan acts and stores what comes of it.
"""

from vaultcrm.adapters.channels.simulator.channel import SimulatorChannel

__all__ = ["SimulatorChannel"]
