"""Rules that the notebooks, the claims, the prose and the built site are held to."""
