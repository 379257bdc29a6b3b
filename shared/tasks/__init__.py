"""The durable task record: a row is the task, and only `store` writes it."""
