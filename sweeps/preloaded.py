"""What every run imports, and nothing that uses a GPU or starts a thread: the fork server loads
this module once, and the runs that it forks share the memory."""

import gc

import torch
import torch._dynamo  # noqa: F401 (imported by the first step of an optimiser)

import agent.build  # noqa: F401
import sweeps.local  # noqa: F401
from agent.run import provenance

provenance.git()  # of the code that is imported now, whatever the checkout is when a run starts
assert not torch.cuda.is_initialized()
gc.freeze()  # collections in the forks leave what was imported alone, so it is not copied
