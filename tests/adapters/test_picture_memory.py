"""Two of the largest accepted pictures at once fit into a worker's memory with all else that it holds."""

import subprocess
import sys
from pathlib import Path

import pytest
from darkroom.adapters.pictures.pillow_processor import FORMATS
from PIL import Image

from tests.adapters.pictures import encoded

STATUS = Path("/proc/self/status")
LARGEST_MB = 800
"""Part of the worker's 1,769 MB. Its libraries, and the responses of fourteen requests, need the rest."""
SIDE = 2800
MEASURE = """
import pathlib, sys, threading
from darkroom.adapters.pictures.pillow_processor import PillowProcessor
from PIL import Image
from tests.adapters.pictures import encoded

def peak():
    [line] = [l for l in pathlib.Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM")]
    return int(line.split()[1])

def process(data):
    threads = [threading.Thread(target=PROCESSOR.process_now, args=(data, b"<x/>")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

PROCESSOR = PillowProcessor(size=512, quality=80)
process(encoded(Image.new("RGB", (64, 64)), sys.argv[2]))
data = pathlib.Path(sys.argv[1]).read_bytes()
before = peak()
process(data)
print(peak() - before)
"""
PALETTE = {"transparency": 7}
PICTURES = [
    ("PNG", "RGBA", {}),
    ("PNG", "LA", {}),
    ("PNG", "RGB", {"transparency": (1, 2, 3)}),
    ("PNG", "P", PALETTE),
    ("PNG", "I;16", {}),
    ("GIF", "P", PALETTE),
    ("JPEG", "CMYK", {"progressive": True}),
    ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    ("WEBP", "RGBA", {"lossless": True, "method": 0}),
    ("WEBP", "RGB", {"method": 0}),
]


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux reports the peak memory of a process")
@pytest.mark.parametrize(("form", "mode", "options"), PICTURES)
def test_two_pictures_at_the_limit_fit_the_workers_memory(
    form: str, mode: str, options: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / "picture"
    file.write_bytes(encoded(Image.new(mode, (SIDE, SIDE)), form, **options))
    command = [sys.executable, "-c", MEASURE, str(file), form]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    at_the_limit = kilobytes / 1024 / SIDE**2 * FORMATS[form]
    assert kilobytes * 1024 > SIDE**2 * 0.9, "nothing was measured"
    assert at_the_limit <= LARGEST_MB
