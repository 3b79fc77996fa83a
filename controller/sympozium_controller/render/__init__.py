"""Pod to what a platform starts: one module per platform. It may import ``pod`` and nothing else of the controller.

What a platform cannot enforce of a Pod, its renderer lists by name.
"""
