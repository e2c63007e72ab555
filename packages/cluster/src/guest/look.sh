# Read from standard input behind state.sh and `authority=…`: prints what the machine is in a cluster.
machine_state
