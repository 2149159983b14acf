"""One run: collect, learn, evaluate, log, stop and go on."""
