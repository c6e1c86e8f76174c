"""Durable batches: accepted images on disk, their results in a database, the work on DBOS.

A batch is accepted by one commit (`store`). Workers put its items on a queue in chunks and read
them (`work`); whatever is interrupted is taken up again, and the primary key of the results keeps
each of them single. Nothing here knows HTTP.
"""
