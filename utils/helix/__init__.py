"""Double Helix: the shared helper package of the course."""
