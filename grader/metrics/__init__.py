"""The three metrics of the homework, lower is better for each: M-STFT, log2-F0, FAD.

Audio is float32 in [−1, 1], mono, 22 050 Hz, shape (samples,). Each metric prepares a reference once and then scores
predictions against it. No metric reads a rubric file; settings are passed in and go into every record.
"""
