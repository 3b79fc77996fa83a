"""The contract of Sympozium: what stands in an /ipc directory, and how it is read and written.

What may live here: message models, paths, file access, waiting, the participant's half of a
call, and the pure policy decision. What may not: anything that only one program needs, and any
import of another package of this repository. Every program imports this package and no other.

==============  ===========================================================
``messages``    every kind of document, as frozen pydantic models
``layout``      every path below /ipc, once
``files``       guarded read, atomic write; ``listing`` follows what comes
``waiting``     rescan always, notification as a shortcut; aliveness
``policy``      ``judge``: Call and RunSpec to allow, deny or ask; pure
``exits``       typed reasons and their exit codes
``participant`` ``serve``: all that a Python participant needs
``process``     what a program owes to whoever started it
``conformance`` judges any participant from outside
==============  ===========================================================

Import from the submodules: importing this package loads nothing.
"""
