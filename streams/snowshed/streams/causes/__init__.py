"""Who started it: causes ranked from measurements by interval, whoever took them and however coarse they are.

Pure: a stream of intervals in, alarms and ranked causes out. It needs no telemetry of ours; node rows or edge rows, 1 s
or 300 s, with or without retries, resources or a given alarm will do.
"""

from snowshed.streams.causes.alarm_policy import AlarmPolicy
from snowshed.streams.causes.alarms import Alarm, Watch
from snowshed.streams.causes.diagnosis import Diagnosis, diagnose
from snowshed.streams.causes.history import History
from snowshed.streams.causes.intervals import GivenAlarm, Interval, IntervalStream, Meta, Sample, read_intervals
from snowshed.streams.causes.ranking import RankedCause
from snowshed.streams.causes.rows import BadLine

__all__ = [
    "Alarm",
    "AlarmPolicy",
    "BadLine",
    "Diagnosis",
    "GivenAlarm",
    "History",
    "Interval",
    "IntervalStream",
    "Meta",
    "RankedCause",
    "Sample",
    "Watch",
    "diagnose",
    "read_intervals",
]
