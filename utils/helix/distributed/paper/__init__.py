"""What is computed with pencil and paper, for clusters that nobody here has: nothing in this package starts a process.

Costs and layouts of a GPT (`costs`, `planner`, `pipeline_plan`, `one_device`), pipelines without time or cards (`schedules`,
`balance`, `gantt`), energy and carbon (`footprint`), published runs to compare with, and job files that are written, not run.
"""
