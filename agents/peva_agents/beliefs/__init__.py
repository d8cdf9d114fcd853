"""What agents think of a node: features, Gaussian processes, capacity, reach, history."""
