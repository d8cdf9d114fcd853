"""One run from many generators: several k6, each of which sends its share of the requests of one run.

What must always hold:

- The shares add up to the run: k6's execution segments divide the requests, and counts are added exactly.
- All generators begin at one moment; one that is late, fails, ends early or has another clock spoils the run, and the
  error names it.
- No generator outlives the run, whatever becomes of the others.
"""

from peva_env.sources.k6.shards.generators import Generators
from peva_env.sources.k6.shards.local import LocalPlace
from peva_env.sources.k6.shards.on_ray import RayPlace
from peva_env.sources.k6.shards.place import Place

__all__ = ["Generators", "LocalPlace", "Place", "RayPlace"]
