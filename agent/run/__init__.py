"""One run: collect, learn, evaluate, log, stop and go on; what it leaves on disk, and who may write
it."""
