"""Questions to people and their answers: a pure core, and thin shells around it."""
