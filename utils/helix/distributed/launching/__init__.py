"""`launch` and what carries it: a warm process with torch imported, a supervisor for each launch, ranks forked from it.

Chapters and labs take all they need from `helix.distributed`; nothing else names a module of this package. What it guarantees,
and where to look when it hangs: ``README.md`` beside this file.
"""
