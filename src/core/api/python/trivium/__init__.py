"""Trivium in Python: text-to-text models whose layers hold pools of experts, a route for every task.

    import trivium

    generator = trivium.Generator.load()          # or a checkpoint's folder
    generator.generate(["a gorgeous, witty film"], task="sst2")[0].text
    generator.score("a dull film", ["negative", "positive"], task="sst2")
    generator.route(task="sst2").encoder          # weights over the experts, [layers, experts]

Nothing here downloads, and no checkpoint is executed: it is read by libtrivium.so, which this package
holds and calls by ctypes.
"""

from trivium._generator import Answer, Generator, Route
from trivium._library import TriviumError

__all__ = ["Answer", "Generator", "Route", "TriviumError"]
