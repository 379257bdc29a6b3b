"""What services must agree on: queues, tasks, events, problems.

Imports the standard library and pydantic only, so that any service, and any client, can use it.
"""
