"""What runs on ranks: the ring, data, pipeline and tensor parallelism, each written out and equal to PyTorch's own.

Its functions and modules expect a process group, as `launch`, ``torchrun`` or `helix.distributed.context` make it.
`pipeline_trials` holds what chapter 10 and its experiment send to ranks: a function must stand in a module to be sent by name.
"""
