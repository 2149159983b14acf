"""Instead of a run, for the trial of a thousand jobs: find the run of this Slurm job below a folder
and call it done."""

import glob
import os
import sys
import time

job = os.environ["SLURM_ARRAY_JOB_ID"] + "_" + os.environ["SLURM_ARRAY_TASK_ID"]
deadline = time.time() + 60
while time.time() < deadline:
    for file in glob.iglob(sys.argv[1] + "/*/*/*/*/slurm_job"):
        with open(file) as register:
            if register.read() == job:
                with open(os.path.join(os.path.dirname(file), "run.json"), "w") as run:
                    run.write('{"status": "done"}')
                sys.exit()
    time.sleep(0.5)
sys.exit(f"no run is job {job}")
