"""A service that embeds producers and a Guard and does nothing else; prints as JSON what they cost it.

Run by the benchmark `embedding` in a process of its own. Arguments: bootstrap servers, topic prefix.
"""

import resource
import sys
import time


def resident_bytes() -> int:
    """Memory of this process that is in core."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 pathlib would count as part of the cost
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Measure, in the order in which a service would do it."""
    bootstrap, prefix = sys.argv[1:]
    bare = resident_bytes()
    started = time.perf_counter()
    import snowshed.consumers
    import snowshed.producers

    imported = time.perf_counter() - started
    import json

    from snowshed.schemas.connection import KafkaConnection

    connection = KafkaConnection(bootstrap)
    with snowshed.producers.start("shop", connection=connection) as telemetry:
        view = snowshed.consumers.DecisionView.connect(connection, prefix=prefix)
        guard = snowshed.consumers.Guard("orders", view=view, caller="shop")
        view.wait_caught_up(30)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            with guard("read"), telemetry.recorder.call("orders", "read"):
                time.sleep(0.001)
        used = resident_bytes() - bare
        view.close()
    print(json.dumps({"import": imported, "memory": used, "bare": bare}))


if __name__ == "__main__":
    main()
