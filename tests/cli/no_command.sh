# Without a command: one line, exit 2.
slm
