"""Runs at the start of each of a student's Python processes, in the sandbox: notes what is imported and opened.

Only told to the TA as a hint (packages and checkpoints that inference never touches); no verdict rests on it.
"""


def _begin() -> None:
    import atexit
    import os
    import sys
    from pathlib import Path

    place = os.environ.get("GRADER_WITNESS")
    if not place:
        return
    opened: set[str] = set()

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(path := arguments[0], str) and len(opened) < 5000:
            opened.add(path[:500])

    def write() -> None:
        import json

        modules = sorted({name.partition(".")[0] for name in list(sys.modules)})
        try:
            file = Path(place, f".witness-{os.getpid()}.json")
            file.write_text(json.dumps({"modules": modules, "opened": sorted(opened)}))
        except OSError:
            pass

    sys.addaudithook(note)
    atexit.register(write)


_begin()
