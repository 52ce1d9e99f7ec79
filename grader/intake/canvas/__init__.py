"""Canvas (NTU COOL is one): its bulk download of hand-ins and its gradebook export.

``naming`` reads the names in a download, ``table`` keeps a CSV file's bytes, ``export`` knows the students in a
gradebook export, ``sorting`` says what each file is, ``importing`` brings a download into a course and ``record``
remembers it.
"""
