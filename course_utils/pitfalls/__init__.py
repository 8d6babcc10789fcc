"""Wrong versions, on purpose: each is named, explained, and caught by a test.

Every wrong function or model carries the wrong ``belief`` it comes from and an ``explanation``
of what it does, one sentence each. Nothing here is meant to be used for anything but learning.
"""
