"""A box of limits as configuration of programs that can enforce it, or check that a node still bears it.

What must always hold:

- No proxy lets more than the limit of a function through for long. A burst is at most a tenth of a second's requests,
  or ten; nginx spaces requests out, so that it has none.
- Names and paths of a memory are checked: none of them can add a line or a key of its own to a configuration.
"""

from peva_env.maps.snippets.snippet import SNIPPETS, snippet

__all__ = [
    "SNIPPETS",
    "snippet",
]
