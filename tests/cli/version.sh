# The version is the library's.
slm --version
