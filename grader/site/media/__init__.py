"""Sound and pictures of every clip as files of a site: made once, named by what is in them.

All sources of a clip (reference, baselines, students) share one time axis, the reference's, and one scale of level, so
that what differs on two pictures differs in sound. An unchanged recording is never encoded or drawn again.
"""
