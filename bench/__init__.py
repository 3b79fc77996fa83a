"""What is promised of speed and size, measured: each figure beside a floor of the same run.

``python -m bench`` (``make bench``) prints a table; ``python -m bench calls size`` only those parts.
Figures of a shared machine mean little by themselves: compare the ratios.
"""
