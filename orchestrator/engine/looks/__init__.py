"""When to look at a task: what is expected of it, and the schedule that follows."""
