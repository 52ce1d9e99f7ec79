"""Names in requirements files that pip does not know as they stand: small tables, and the names of import packages."""

from __future__ import annotations

import sys

MISNAMED = {  # written in a requirements file → the package that is meant
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "cv2": "opencv-python-headless",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "pil": "pillow",
    "yaml": "pyyaml",
    "pytorch": "torch",
    "matplotlib-base": "matplotlib",
    "tensorboard-base": "tensorboard",
    "tensorflow-gpu": "tensorflow",
}

PROVIDED_BY = {  # import name → the package that gives it, where they differ
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "cv2": "opencv-python-headless",
    "pil": "pillow",
    "yaml": "pyyaml",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "dotenv": "python-dotenv",
    "dateutil": "python-dateutil",
    "git": "gitpython",
    "google": "protobuf",
    "pkg-resources": "setuptools",
    "hydra": "hydra-core",
    "tensorboardx": "tensorboardX",
}

NOT_PACKAGES = {  # lines that `pip freeze`, conda or a guess leave, and why they are dropped
    "pkg-resources": "a ghost line that old Ubuntu pips print; no such package exists",
    "python": "the interpreter is no package",
    "python3": "the interpreter is no package",
    "cudatoolkit": "conda's CUDA; the course's torch build brings what it needs",
    "cudnn": "conda's CUDA; the course's torch build brings what it needs",
    "pytorch-cuda": "conda's CUDA; the course's torch build brings what it needs",
    "pytorch-mutex": "conda's own bookkeeping",
    "cpuonly": "conda's own bookkeeping",
    "conda": "the package manager itself",
    "anaconda": "the package manager itself",
}
_CONDA_SYSTEM = """
libgcc-mutex openmp-mutex blas bzip2 ca-certificates ffmpeg fftw freetype giflib gmp gnutls icu intel-openmp
jpeg krb5 lame lcms2 ld-impl-linux-64 lerc libdeflate libffi libflac libgcc-ng libgfortran-ng libgomp libiconv
libidn2 libjpeg-turbo libopus libpng libsndfile libstdcxx-ng libtasn1 libtiff libunistring libuuid libvorbis
libwebp libwebp-base llvm-openmp lz4-c mkl-service mkl-fft mkl-random ncurses nettle openh264 openjpeg openssl
readline sqlite tk ucrt vc vs2015-runtime xz zlib zstd
"""
NOT_PACKAGES |= dict.fromkeys(_CONDA_SYSTEM.split(), "a system library from conda, no Python package")
NOT_PACKAGES |= dict.fromkeys(
    ("pywin32", "pywin32-ctypes", "pypiwin32", "pywinpty", "pyreadline", "wincertstore", "win-inet-pton"),
    "exists on Windows only",
)
NOT_PACKAGES |= dict.fromkeys(("appnope", "pyobjc", "pyobjc-core", "mlx"), "exists on macOS only")

_BACKPORTS = {"dataclasses", "typing", "enum34", "pathlib2", "argparse", "asyncio"}


def is_standard_library(name: str) -> bool:
    """Whether ``name`` is a module of Python itself (a package of that name is at best an outdated copy)."""
    return name.replace("-", "_") in sys.stdlib_module_names or name in _BACKPORTS


def is_cuda_runtime(name: str) -> bool:
    """Whether a package is only there as a part of a CUDA build of torch."""
    return name in ("triton", "pytorch-triton") or (name.startswith("nvidia-") and "-cu" in name)


def package_of(module: str) -> str:
    """The package that gives the import name ``module``, as far as the table knows; else the name itself."""
    return PROVIDED_BY.get(module.lower().replace("_", "-"), module.replace("_", "-"))
