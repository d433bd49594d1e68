"""What several tests use: recipes of the smallest size, ways to look into a step, slow definitions, ways to run commands."""
