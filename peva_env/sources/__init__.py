"""Where measurements come from: live load, a recording, a simulation."""
