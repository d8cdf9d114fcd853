"""The arena: agents play the same episodes and are compared."""
