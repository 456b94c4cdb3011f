"""kill -9 by the hundred: real processes, a real provider, and its own table as the oracle.

points      where runs die: the matrix's columns, as data
seams       how a process is made to die exactly there
victim      the process that imports the program once and forks every victim
lanes       victims at once
provider    the sandbox that is paid, and what it says was paid
campaign    one campaign from death to death to its end
verdict     what must hold after a death and at the end
matrix      all of it together, for the tests and for `python -m tests.kill`
"""
