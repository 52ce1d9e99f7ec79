"""What runs inside the sandbox, before and beside the student's code: standard library only, no import from grader."""
