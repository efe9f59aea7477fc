"""The symmetry of a network from one forward pass: labels, demands, and the largest group that they leave."""
