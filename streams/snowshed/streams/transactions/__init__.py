"""The transactional core: offsets, state, journal and outputs of a batch commit together or not at all.

The only rooms that open Kafka clients for input and output. `core` is the whole, `lane` one partition's life,
`states` its table, `source` the consumer, `producer` the transactions, `restore` how state comes back.
"""
