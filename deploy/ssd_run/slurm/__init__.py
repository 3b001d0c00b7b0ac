"""A run over the nodes of a Slurm job: the launcher starts its processes through job steps."""
