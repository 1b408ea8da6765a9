# What `slm help` lists.
slm help
