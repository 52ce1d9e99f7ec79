"""Sound in, exactly as the course does it: files, resampling, mel spectrograms. No torch.

Audio is float32 in [−1, 1] of shape (samples,); a mel spectrogram is float32 of shape (bands, frames).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]
Mel = npt.NDArray[np.float32]
