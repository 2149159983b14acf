"""What a run leaves on disk, and who may write it: its name, folder, records, replay, checkpoints
and trackers."""
