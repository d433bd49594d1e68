"""The paper's tables: what each needs, running it, printing it."""
