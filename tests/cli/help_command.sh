# The help of a command comes from its option table, with every default; `help COMMAND` and `COMMAND --help` are one text.
slm help generate >one
slm generate --help >two
cmp one two && cat one
