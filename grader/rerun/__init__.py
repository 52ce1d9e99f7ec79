"""The rerun: a student's own inference, run again in a sandbox and compared with what was uploaded."""
