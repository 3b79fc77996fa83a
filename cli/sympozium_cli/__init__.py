"""The ``sympozium`` command, and the launcher that runs one pod as plain processes.

What may live here: parsing the command line, the run's directory, starting, watching and stopping
programs, and what a person sees and answers. What a run is and may do is decided in the controller's
pure half; what happens in a run is read from its files like anybody would read them.

============  ================================================================
``app``       the commands and their options; imports nothing heavy
``inputs``    files, flags and keys to something that can be launched
``rundir``    one run's directory, and RUN on the command line
``podfile``   pod.json: what a resume needs, without any secret's value
``launch``    start, watch, stop: children, orphans, the session
``view``      what a person sees of a run, live and afterwards
============  ================================================================
"""
