"""Whether a call may go ahead: `decided` by decisions in force, `local` and `flight` by what the process itself sees.

`controls` joins them for one scope. All of it is pure; the Guard has the clock and the locks.
"""
