"""What is decided, as one process sees it.

`book` holds every decision that is known, `effective` adds up what is in force for one scope, `view` is fed by Kafka or
by hand and hands both out.
"""
