"""The `cpex` command. Its packages come with the extra `cli`; nothing here is imported by `cpex.framework`."""
